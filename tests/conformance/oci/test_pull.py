"""Pull: "Pulling manifests", "Pulling blobs", "Checking if content exists in the registry"."""

import json

import pytest
from kit.distribution import CONFIG, INDEX, LAYER, MANIFEST, descriptor, digest, fresh

MISSING = digest(b"nobody pushed this")


def test_determining_support(registry):
    """"Determining Support", end-1."""
    assert registry.get("/v2/").status == 200


def test_a_manifest_by_tag_and_by_digest(registry, repository):
    content = registry.push_image(repository, "v1")
    for reference in ("v1", digest(content)):
        answer = registry.get(f"/v2/{repository}/manifests/{reference}", Accept=MANIFEST)
        assert answer.status == 200
        assert answer.body == content
        assert answer.headers["Docker-Content-Digest"] == digest(content)
        assert answer.media_type == MANIFEST


def test_head_of_a_manifest(registry, repository):
    content = registry.push_image(repository, "v1")
    for reference in ("v1", digest(content)):
        answer = registry.head(f"/v2/{repository}/manifests/{reference}", Accept=MANIFEST)
        assert answer.status == 200
        assert answer.headers["Docker-Content-Digest"] == digest(content)
        assert answer.headers["Content-Length"] == str(len(content))
        assert answer.media_type == MANIFEST


@pytest.mark.parametrize("accept", [None, "*/*", INDEX, f"{INDEX}, {MANIFEST}", "application/json"])
def test_the_type_is_that_of_the_push_whatever_is_accepted(registry, repository, accept):
    """A stored manifest has one form: the registry doesn't convert it."""
    content = registry.push_image(repository, "v1")
    answer = registry.get(f"/v2/{repository}/manifests/v1", Accept=accept)
    assert (answer.status, answer.body, answer.media_type) == (200, content, MANIFEST)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["nothing", MISSING])
def test_a_manifest_that_is_not_there(registry, repository, method, reference):
    answer = registry.call(method, f"/v2/{repository}/manifests/{reference}")
    assert answer.status == 404
    if method == "GET":
        assert answer.codes == ["MANIFEST_UNKNOWN"]


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_blob(registry, repository, size):
    content = b"".join([fresh()[:size], b"x" * (size - len(fresh()))])[:size]
    name = registry.push_blob(repository, content)
    answer = registry.get(f"/v2/{repository}/blobs/{name}")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["Docker-Content-Digest"] == name
    head = registry.head(f"/v2/{repository}/blobs/{name}")
    assert head.status == 200
    assert head.headers["Docker-Content-Digest"] == name
    assert head.headers["Content-Length"] == str(size)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_that_is_not_there(registry, repository, method):
    answer = registry.call(method, f"/v2/{repository}/blobs/{MISSING}")
    assert answer.status == 404
    if method == "GET":
        assert answer.codes == ["BLOB_UNKNOWN"]


def test_a_blob_of_another_repository_is_not_there(registry, repository, other):
    """"If the blob is not found in the repository": content is found through a repository only."""
    name = registry.push_blob(other, fresh())
    assert registry.get(f"/v2/{repository}/blobs/{name}").status == 404


@pytest.mark.parametrize("path", ["tags/list", "manifests/latest", f"manifests/{MISSING}", f"blobs/{MISSING}"])
def test_a_repository_that_is_not_there(registry, path):
    """"An attempt to pull a nonexistent repository MUST return response code 404 Not Found"."""
    answer = registry.get(f"/v2/conformance/nowhere/{path}")
    assert answer.status == 404
    assert answer.codes[0] in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN")


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=2-5", 2, 5), ("bytes=7-", 7, 9), ("bytes=-3", 7, 9), ("bytes=5-99", 5, 9),
    ("bytes=-99", 0, 9),
])
def test_parts_of_a_blob(registry, repository, asked, first, last):
    """"A registry SHOULD support the Range request header in accordance with RFC 9110"."""
    name = registry.push_blob(repository, b"0123456789")
    answer = registry.get(f"/v2/{repository}/blobs/{name}", Range=asked)
    assert answer.status == 206
    assert answer.body == b"0123456789"[first:last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/10"
    assert answer.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_parts_outside_of_a_blob(registry, repository, asked):
    name = registry.push_blob(repository, b"0123456789")
    answer = registry.get(f"/v2/{repository}/blobs/{name}", Range=asked)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("asked", ["bytes=5-2", "lines=1-2", "bytes=a-b", "nonsense"])
def test_ranges_that_mean_nothing_are_ignored(registry, repository, asked):
    """RFC 9110, 14.2."""
    name = registry.push_blob(repository, b"0123456789")
    answer = registry.get(f"/v2/{repository}/blobs/{name}", Range=asked)
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_a_part_of_what_the_client_has_already(registry, repository):
    """RFC 9110, 13.1.5: a part only if the rest is of the same content; else the whole."""
    path = f"/v2/{repository}/blobs/{registry.push_blob(repository, b'0123456789')}"
    etag = registry.head(path).headers["ETag"]
    assert registry.get(path, Range="bytes=2-5", If_Range=etag).body == b"2345"
    for other in (f'"{MISSING}"', f"W/{etag}", "Mon, 01 Jan 2024 00:00:00 GMT"):
        answer = registry.get(path, Range="bytes=2-5", If_Range=other)
        assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_already_is_not_sent(registry, repository, kind, method):
    """RFC 9110, 13.1.2."""
    content = registry.push_image(repository, "v1")
    name = digest(content) if kind == "manifests" else json.loads(content)["layers"][0]["digest"]
    path = f"/v2/{repository}/{kind}/{name}"
    etag = registry.head(path).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = registry.call(method, path, headers={"If-None-Match": known})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    assert registry.call(method, path, headers={"If-None-Match": '"x"'}).status == 200


def test_an_index_and_its_members(registry, repository):
    images = [registry.push_image(repository) for _ in range(2)]
    document = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {**descriptor(content, MANIFEST), "platform": {"os": "linux", "architecture": architecture}}
        for content, architecture in zip(images, ("amd64", "arm64"))]}).encode()
    assert registry.put_manifest(repository, "multi", document, INDEX).status == 201
    answer = registry.get(f"/v2/{repository}/manifests/multi", Accept=f"{INDEX}, {MANIFEST}")
    assert (answer.body, answer.media_type) == (document, INDEX)
    for member in answer.json["manifests"]:
        found = registry.get(f"/v2/{repository}/manifests/{member['digest']}")
        assert found.status == 200 and digest(found.body) == member["digest"]


def test_a_whole_image_comes_back(registry, repository):
    """The workflow: manifest, config, layers, each with the digest that names it."""
    registry.push_image(repository, "whole")
    manifest = registry.get(f"/v2/{repository}/manifests/whole").json
    for part, media_type in [(manifest["config"], CONFIG), (manifest["layers"][0], LAYER)]:
        assert part["mediaType"] == media_type
        content = registry.get(f"/v2/{repository}/blobs/{part['digest']}").body
        assert (digest(content), len(content)) == (part["digest"], part["size"])
