"""A plain client of the OCI distribution API. It hides nothing: tests see every status and header."""

import base64
import hashlib
import http.client
import json
import urllib.parse
import uuid

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
# "The client SHOULD include an Accept header indicating which manifest content types it supports."
ACCEPT = ", ".join([MANIFEST, INDEX, DOCKER, DOCKER_LIST])
OCTETS = "application/octet-stream"

# "Error Codes", and the one of "Legacy Docker support error codes" that a registry without schema 1 can use.
CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED",
    "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS", "TAG_INVALID",
}


def digest(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def fresh(word="content"):
    """Bytes that no other test pushes."""
    return f"{word} {uuid.uuid4()}".encode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def with_query(location, **parameters):
    """A location with more parameters: it may have some already."""
    joint = "&" if "?" in location else "?"
    return location + joint + urllib.parse.urlencode(parameters)


class Answer:
    def __init__(self, answer, content):
        self.status, self.headers, self.body = answer.status, answer.headers, content

    def __repr__(self):
        return f"<{self.status} {dict(self.headers.items())} {self.body[:300]!r}>"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def codes(self):
        return [error["code"] for error in self.json["errors"]]

    @property
    def location(self):
        return self.headers["Location"]

    @property
    def media_type(self):
        return self.headers["Content-Type"]


class Registry:
    """One registry at `host`, spoken to with `authorization` unless a request says otherwise."""

    def __init__(self, host, authorization=None):
        self.host, self.authorization = host, authorization

    def call(self, method, path, body=None, headers=None, chunked=False):
        """`path` may be absolute, as a Location may ("POST then PUT"). None as a header's value removes it."""
        path = path.removeprefix(f"http://{self.host}")
        assert path.startswith("/v2"), f"a location outside of this registry: {path}"
        sent = {"Authorization": self.authorization, **({"Accept": ACCEPT} if "/manifests/" in path else {}),
                **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, sent, encode_chunked=chunked)
            answer = connection.getresponse()
            result = Answer(answer, answer.read())
        finally:
            connection.close()
        self.check(method, result)
        return result

    def check(self, method, answer):
        """What holds for every answer."""
        assert answer.status < 500, answer
        if method == "HEAD":
            assert answer.body == b""
        elif answer.status >= 400 and answer.headers.get_content_type() == "application/json":
            errors = answer.json["errors"]
            assert errors and set(answer.json) == {"errors"}, answer
            for error in errors:
                assert error["code"] in CODES, answer
                assert set(error) <= {"code", "message", "detail"} and isinstance(error.get("message", ""), str)
        warnings = answer.headers.get_all("Warning") or []
        assert sum(map(len, warnings)) <= 4096 and all(w.startswith('299 - "') for w in warnings)

    def get(self, path, **headers):
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, path, **headers):
        return self.call("HEAD", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def delete(self, path):
        return self.call("DELETE", path)

    # Steps that many tests need ---------------------------------------------------------------

    def begin(self, name, **parameters):
        """A new upload session; its location."""
        path = with_query(f"/v2/{name}/blobs/uploads/", **parameters) if parameters else f"/v2/{name}/blobs/uploads/"
        answer = self.call("POST", path, headers={"Content-Length": "0"})
        assert answer.status == 202, answer
        return answer.location

    def chunk(self, location, content, first, last=None, **headers):
        last = first + len(content) - 1 if last is None else last
        return self.call("PATCH", location, content, {
            "Content-Type": OCTETS, "Content-Range": f"{first}-{last}", **headers})

    def close(self, location, name, content=b""):
        """The PUT that ends an upload."""
        return self.call("PUT", with_query(location, digest=name), content, {"Content-Type": OCTETS})

    def push_blob(self, repository, content, algorithm="sha256"):
        """Pushes; the descriptor's digest."""
        name = digest(content, algorithm)
        answer = self.close(self.begin(repository), name, content)
        assert answer.status == 201, answer
        return name

    def put_manifest(self, repository, reference, document, media_type=MANIFEST, **headers):
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"Content-Type": media_type, **headers}
        return self.call("PUT", f"/v2/{repository}/manifests/{reference}", content, sent)

    def push_image(self, repository, reference=None, **fields):
        """Pushes a small image of its own; its manifest's bytes."""
        content = self.image(repository, **fields)
        answer = self.put_manifest(repository, reference or digest(content), content)
        assert answer.status == 201, answer
        return content

    def image(self, repository, **fields):
        """Pushes the blobs of a new image; its manifest's bytes, not pushed."""
        config, layer = fresh('{"architecture":"amd64","os":"linux"} '), fresh("layer")
        for blob in (config, layer):
            self.push_blob(repository, blob)
        return json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config, CONFIG),
            "layers": [descriptor(layer, LAYER)], **fields,
        }).encode()

    def artifact(self, repository, subject, artifact_type=None, config_type=EMPTY, annotations=None):
        """The bytes of a manifest that refers to `subject` (a descriptor), its config pushed."""
        self.push_blob(repository, b"{}")
        document = {
            "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(b"{}", config_type),
            "layers": [descriptor(b"{}", EMPTY)], "subject": subject,
            "annotations": {"unique": str(uuid.uuid4()), **(annotations or {})},
        }
        if artifact_type is not None:
            document["artifactType"] = artifact_type
        return json.dumps(document).encode()


def descriptor(content, media_type, algorithm="sha256"):
    return {"mediaType": media_type, "digest": digest(content, algorithm), "size": len(content)}
