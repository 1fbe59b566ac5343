"""Signed calls with whatever body, on one connection: botocore would refuse to send most of them."""

import contextlib
import http.client
import json
import re
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kit.shapes import error_findings, findings, model, operation

# A server may close a connection that nobody used for a while.
IDLE_S = 20
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
JSON = "application/x-amz-json-1.1"


class Reply:
    """A JSON service's answer to one call of an operation."""

    def __init__(self, service, name, answer, content):
        self.service, self.name = service, name
        self.status, self.headers, self.content = answer.status, answer.headers, content

    def __repr__(self):
        return f"<{self.service} {self.name}: {self.status} {self.content[:600]!r}>"

    @property
    def body(self):
        """Operations without an output may answer an empty body; botocore reads that as no members."""
        return json.loads(self.content or b"{}")

    @property
    def code(self):
        return self.body["__type"].rsplit("#", 1)[-1]

    @property
    def message(self):
        return self.body.get("message", self.body.get("Message"))

    def findings(self):
        """What the model says against this answer, as error or success."""
        found = [] if REQUEST_ID.fullmatch(self.headers.get("x-amzn-requestid", "")) else ["no request id"]
        if self.headers["Content-Type"] != JSON:
            found.append(f"Content-Type {self.headers['Content-Type']}")
        try:
            body = self.body
        except ValueError:
            return [*found, f"no JSON: {self.content[:200]!r}"]
        if self.status == 200:
            return found + findings(operation(self.service, self.name).output_shape, body)
        return found + error_findings(self.service, self.name, self.status, body)


class Caller:
    def __init__(self, account, region=None):
        self.host = account.server.host
        self.region = region or account.region
        environment = account.environment
        self.credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        self.connection, self.used_at = http.client.HTTPConnection(self.host, timeout=60), time.monotonic()

    def json(self, service, name, body):
        """`body`: the input, or the very bytes to send."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        described = model(service).metadata
        answer, content = self.send(described.get("signingName", service), content, {
            "Content-Type": JSON, "X-Amz-Target": f"{described['targetPrefix']}.{name}"})
        return Reply(service, name, answer, content)

    def send(self, signing_name, content, headers):
        """Status and headers, and the body."""
        request = AWSRequest("POST", f"http://{self.host}/", headers=headers, data=content)
        SigV4Auth(self.credentials, signing_name, self.region).add_auth(request)
        if time.monotonic() - self.used_at > IDLE_S:
            self.connection.close()
        self.used_at = time.monotonic()
        try:
            # A server that refuses a body needn't read all of it; its answer is there none the less (RFC 9112, 9.5).
            with contextlib.suppress(BrokenPipeError):
                self.connection.request("POST", "/", content, dict(request.headers.items()))
            answer = self.connection.getresponse()
            return answer, answer.read()
        except (http.client.HTTPException, ConnectionError) as gone:
            self.connection.close()
            raise AssertionError(f"no answer to {headers} {content[:500]!r}") from gone
