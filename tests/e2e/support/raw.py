"""Requests that no SDK would send: signed by botocore, then changed."""

import datetime
import json
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ECS = "AmazonEC2ContainerServiceV20141113"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["__type"].rsplit("#", 1)[-1]

    @property
    def message(self):
        return self.json.get("message") or self.json.get("Message")


def sign(account, operation="ListClusters", body="{}", service="ecs", key=None, secret=None, token=None,
         skew_s=0, prefix=ECS, region=None):
    """The headers and body of a signed call."""
    environment = account.environment
    credentials = Credentials(key or environment["AWS_ACCESS_KEY_ID"],
                              secret or environment["AWS_SECRET_ACCESS_KEY"], token)
    request = AWSRequest("POST", account.server.url + "/", data=body, headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{prefix}.{operation}"})
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(seconds=skew_s)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(credentials, service, region or account.region).add_auth(request)
    return dict(request.headers.items()), body


def send(account, headers, body, path="/", method="POST"):
    connection = account.server.connection(timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return Answer(answer.status, answer.headers, content)


def call(account, operation, body="{}", **options):
    return send(account, *sign(account, operation, body, **options))
