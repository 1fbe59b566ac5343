"""Push: "POST then PUT", "Single POST", "Mounting a blob from another repository"."""

import re

import pytest
from kit.distribution import OCTETS, digest, fresh, with_query

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MISSING = digest(b"nobody pushed this either")


def pullable(registry, location, content):
    """"With <blob-location> being a pullable blob URL"."""
    answer = registry.get(location)
    return (answer.status, answer.body) == (200, content)


def post(registry, repository, content, name, **headers):
    path = f"/v2/{repository}/blobs/uploads/?digest={name}"
    return registry.call("POST", path, content, {"Content-Type": OCTETS, **headers})


def test_a_session_has_a_location_with_a_uuid(registry, repository):
    first, second = registry.begin(repository), registry.begin(repository)
    assert UUID.search(first) and UUID.search(second) and first != second


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_post_then_put(registry, repository, algorithm):
    content = fresh()
    name = digest(content, algorithm)
    answer = registry.close(registry.begin(repository), name, content)
    assert answer.status == 201
    assert pullable(registry, answer.location, content)
    assert registry.get(f"/v2/{repository}/blobs/{name}").body == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_single_post(registry, repository, algorithm):
    content = fresh()
    answer = post(registry, repository, content, digest(content, algorithm))
    assert answer.status == 201
    assert pullable(registry, answer.location, content)


def test_the_announced_algorithm(registry, repository):
    """Of the specification after 1.1 (end-4c), so that the hash need not be taken twice."""
    content = fresh()
    name = digest(content, "sha512")
    location = registry.begin(repository, **{"digest-algorithm": "sha512"})
    assert registry.close(location, name, content).status == 201
    answer = registry.call("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm=md5")
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


def test_one_content_under_two_algorithms(registry, repository):
    content = fresh()
    names = [registry.push_blob(repository, content, algorithm) for algorithm in ("sha256", "sha512")]
    for name in names:
        answer = registry.get(f"/v2/{repository}/blobs/{name}")
        assert answer.body == content and answer.headers["Docker-Content-Digest"] == name


def test_the_same_blob_twice(registry, repository):
    content = fresh()
    assert registry.push_blob(repository, content) == registry.push_blob(repository, content)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("way", ["post", "put"])
def test_a_digest_of_something_else(registry, repository, way, algorithm):
    content, lie = fresh(), digest(fresh("lie"), algorithm)
    if way == "post":
        answer = post(registry, repository, content, lie)
    else:
        answer = registry.close(registry.begin(repository), lie, content)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    for name in (lie, digest(content, algorithm)):
        assert registry.head(f"/v2/{repository}/blobs/{name}").status == 404


@pytest.mark.parametrize("name", ["", "sha256", "sha256:", "sha256:zz", "sha256:" + "A" * 64, "sha256:" + "a" * 63,
                                  "sha512:" + "a" * 64, "md5:" + "a" * 32, "sha256:../../etc/passwd"])
def test_a_digest_that_is_none(registry, repository, name):
    content = fresh()
    for answer in (post(registry, repository, content, name),
                   registry.close(registry.begin(repository), name, content)):
        assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


def test_a_put_without_a_digest(registry, repository):
    answer = registry.call("PUT", registry.begin(repository), fresh(), {"Content-Type": OCTETS})
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
def test_a_session_that_is_not_there(registry, repository, method):
    """end-5, end-6, end-13."""
    location = f"/v2/{repository}/blobs/uploads/00000000-0000-4000-8000-000000000000"
    content = b"" if method == "GET" else b"x"
    answer = registry.call(method, with_query(location, digest=digest(content)), content, {"Content-Type": OCTETS})
    assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


def test_a_closed_session_is_gone(registry, repository):
    content = fresh()
    location = registry.begin(repository)
    assert registry.close(location, digest(content), content).status == 201
    assert registry.get(location).status == 404
    assert registry.close(location, digest(content), content).status == 404


def test_a_session_can_be_given_up(registry, repository):
    """Of the specification after 1.1 (end-14)."""
    location = registry.begin(repository)
    assert registry.delete(location).status == 204
    assert registry.get(location).status == 404


def test_a_session_is_its_repositorys(registry, repository, other):
    location = registry.begin(repository).replace(repository, other)
    assert registry.get(location).status == 404


def test_uploads_to_a_repository_that_is_not_there(registry):
    """end-4a: ECR's repositories are made by CreateRepository."""
    answer = registry.call("POST", "/v2/conformance/nowhere/blobs/uploads/")
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])


def test_a_body_without_a_length(registry, repository):
    """Transfer-Encoding: chunked, as a client sends that makes a layer while it uploads it."""
    parts = [fresh(), b"x" * 100_000, b"end"]
    content = b"".join(parts)
    location = registry.begin(repository)
    headers = {"Content-Type": OCTETS, "Transfer-Encoding": "chunked"}
    target = with_query(location, digest=digest(content))
    answer = registry.call("PUT", target, iter(parts), headers, chunked=True)
    assert answer.status == 201
    assert pullable(registry, answer.location, content)


# Mounting -----------------------------------------------------------------------------------


def mount(registry, repository, name, source=None):
    path = f"/v2/{repository}/blobs/uploads/?mount={name}" + (f"&from={source}" if source else "")
    return registry.call("POST", path, headers={"Content-Length": "0"})


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_mount(registry, repository, other, algorithm):
    content = fresh()
    name = registry.push_blob(other, content, algorithm)
    answer = mount(registry, repository, name, other)
    assert answer.status == 201
    assert pullable(registry, answer.location, content)
    assert registry.head(f"/v2/{repository}/blobs/{name}").status == 200


@pytest.mark.parametrize("source", [None, "conformance/nowhere"])
def test_a_mount_that_can_not_be_becomes_an_upload(registry, repository, source):
    """"it SHOULD return a 202. This indicates that the upload session has begun"."""
    content = fresh()
    answer = mount(registry, repository, digest(content), source)
    assert answer.status == 202
    assert registry.close(answer.location, digest(content), content).status == 201


def test_a_mount_of_a_blob_that_the_source_lacks(registry, repository, other):
    assert mount(registry, repository, MISSING, other).status == 202


def test_a_mount_without_a_source_takes_it_where_it_is_or_begins_an_upload(registry, repository, other):
    """"The registry MAY treat the from parameter as optional"."""
    content = fresh()
    name = registry.push_blob(other, content)
    answer = mount(registry, repository, name)
    assert answer.status in (201, 202)
    there = registry.head(f"/v2/{repository}/blobs/{name}").status
    assert there == (200 if answer.status == 201 else 404)


def test_a_mounted_blob_outlives_its_source(registry, repository, other):
    content = fresh()
    name = registry.push_blob(other, content)
    assert mount(registry, repository, name, other).status == 201
    assert registry.delete(f"/v2/{other}/blobs/{name}").status == 202
    assert registry.get(f"/v2/{repository}/blobs/{name}").body == content


def test_a_mount_of_no_digest(registry, repository, other):
    answer = mount(registry, repository, "sha256:short", other)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
