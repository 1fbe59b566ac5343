""""Error Codes", and names by the grammar of "Pulling manifests"."""

import http.client

import pytest
from kit.distribution import digest
from support.aws import unique

NAMES = ["a", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1/2", "a/b/c/d/e"]
BAD_NAMES = ["A", "a..b", "a___b", ".a", "a.", "-a", "a-", "a_", "a//b", "%C3%BC", "a._b", "a%20b", "a/-b", "a%2Fb"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_allowed(registry, account, name):
    name = f"{unique('n')}/{name}"
    account.repository(name)
    content = registry.push_image(name, "v1")
    assert registry.get(f"/v2/{name}/manifests/v1").body == content
    assert registry.get(f"/v2/{name}/tags/list").json == {"name": name, "tags": ["v1"]}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("path", ["tags/list", "manifests/v1", "blobs/uploads/"])
def test_names_that_are_none(registry, name, path):
    method = "POST" if path.startswith("blobs") else "GET"
    answer = registry.call(method, f"/v2/{name}/{path}")
    assert answer.status in (400, 404)
    assert answer.codes == ["NAME_INVALID"]


@pytest.mark.parametrize("name", [".", "..", "../..", "a/../b", "%2e%2e", "..%2f..%2fetc"])
def test_names_that_would_leave_the_registry(registry, name):
    for path in ("tags/list", f"blobs/{digest(b'x')}", "manifests/v1"):
        assert registry.get(f"/v2/{name}/{path}").status in (400, 404)


@pytest.mark.parametrize("method, path", [
    ("PUT", "tags/list"), ("POST", "manifests/v1"), ("PATCH", "manifests/v1"), ("PUT", f"blobs/{digest(b'x')}"),
    ("DELETE", "tags/list"), ("POST", f"referrers/{digest(b'x')}")])
def test_methods_that_an_endpoint_has_not(registry, repository, method, path):
    answer = registry.call(method, f"/v2/{repository}/{path}")
    assert (answer.status, answer.codes) == (405, ["UNSUPPORTED"])
    # RFC 9110, 15.5.6.
    allowed = {word.strip() for word in answer.headers["Allow"].split(",")}
    assert "GET" in allowed and method not in allowed


@pytest.mark.parametrize("path", ["/v2/", "/v2/_catalog", "/v2/{}/tags/list", f"/v2/{{}}/referrers/{digest(b'x')}"])
def test_head_is_as_get_without_the_body(registry, repository, path):
    """RFC 9110, 9.1: every server supports both."""
    there, head = registry.get(path.format(repository)), registry.head(path.format(repository))
    assert (head.status, head.media_type) == (200, there.media_type)
    assert head.headers["Content-Length"] == str(len(there.body))


@pytest.mark.parametrize("path", ["nothing", "manifests", "tags/all", "blobs", "a/b/c"])
def test_paths_that_mean_nothing(registry, repository, path):
    assert registry.get(f"/v2/{repository}/{path}").status in (400, 404)


def test_errors_are_json_of_the_specifications_form(registry, repository):
    answer = registry.get(f"/v2/{repository}/manifests/nothing")
    assert answer.headers.get_content_type() == "application/json"
    error, = answer.json["errors"]
    assert error["code"] == "MANIFEST_UNKNOWN" and error["message"]


def test_an_upload_that_ends_early(registry, repository):
    """The connection goes before the announced length came: nothing is kept, and the session can go on."""
    location = registry.begin(repository)
    connection = http.client.HTTPConnection(registry.host, timeout=60)
    connection.putrequest("PUT", f"{location}?digest={digest(b'12345')}")
    connection.putheader("Authorization", registry.authorization)
    connection.putheader("Content-Length", "5")
    connection.endheaders(b"123")
    connection.close()
    assert registry.head(f"/v2/{repository}/blobs/{digest(b'12345')}").status == 404
    assert registry.get(location).status == 204
