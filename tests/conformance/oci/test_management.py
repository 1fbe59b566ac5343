"""Content management: "Deleting tags", "Deleting Manifests", "Deleting Blobs"."""

import pytest
from kit.distribution import digest, fresh

MISSING = digest(b"nothing to delete")


def test_a_tag(registry, repository):
    content = registry.push_image(repository, "old")
    registry.put_manifest(repository, "kept", content)
    assert registry.delete(f"/v2/{repository}/manifests/old").status == 202
    assert registry.get(f"/v2/{repository}/manifests/old").status == 404
    assert registry.get(f"/v2/{repository}/tags/list").json["tags"] == ["kept"]
    for reference in ("kept", digest(content)):
        assert registry.get(f"/v2/{repository}/manifests/{reference}").body == content


def test_a_manifest_with_its_tags(registry, repository):
    """"a GET to /v2/<name>/manifests/<digest> and any tag pointing to that digest will return a 404"."""
    content = registry.push_image(repository, "one")
    registry.put_manifest(repository, "two", content)
    assert registry.delete(f"/v2/{repository}/manifests/{digest(content)}").status == 202
    for reference in ("one", "two", digest(content)):
        assert registry.get(f"/v2/{repository}/manifests/{reference}").status == 404
        assert registry.head(f"/v2/{repository}/manifests/{reference}").status == 404
    assert registry.get(f"/v2/{repository}/tags/list").json["tags"] == []


def test_a_manifest_by_its_sha512_digest(registry, repository):
    content = registry.image(repository)
    name = digest(content, "sha512")
    assert registry.put_manifest(repository, name, content).status == 201
    assert registry.delete(f"/v2/{repository}/manifests/{name}").status == 202
    assert registry.get(f"/v2/{repository}/manifests/{name}").status == 404


def test_a_manifest_can_be_pushed_again(registry, repository):
    content = registry.push_image(repository, "again")
    assert registry.delete(f"/v2/{repository}/manifests/{digest(content)}").status == 202
    assert registry.put_manifest(repository, "again", content).status == 201
    assert registry.get(f"/v2/{repository}/manifests/again").body == content


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob(registry, repository, algorithm):
    name = registry.push_blob(repository, fresh(), algorithm)
    assert registry.delete(f"/v2/{repository}/blobs/{name}").status == 202
    assert registry.get(f"/v2/{repository}/blobs/{name}").status == 404
    assert registry.head(f"/v2/{repository}/blobs/{name}").status == 404
    assert registry.delete(f"/v2/{repository}/blobs/{name}").status == 404


def test_a_blob_can_be_pushed_again(registry, repository):
    content = fresh()
    name = registry.push_blob(repository, content)
    assert registry.delete(f"/v2/{repository}/blobs/{name}").status == 202
    assert registry.push_blob(repository, content) == name
    assert registry.get(f"/v2/{repository}/blobs/{name}").body == content


@pytest.mark.parametrize("path, code", [
    (f"blobs/{MISSING}", "BLOB_UNKNOWN"), (f"manifests/{MISSING}", "MANIFEST_UNKNOWN"),
    ("manifests/nothing", "MANIFEST_UNKNOWN")])
def test_what_is_not_there(registry, repository, path, code):
    answer = registry.delete(f"/v2/{repository}/{path}")
    assert (answer.status, answer.codes) == (404, [code])


@pytest.mark.parametrize("path", [f"blobs/{MISSING}", f"manifests/{MISSING}", "manifests/nothing"])
def test_in_a_repository_that_is_not_there(registry, path):
    """"If the repository does not exist, the response MUST return 404 Not Found"."""
    answer = registry.delete(f"/v2/conformance/nowhere/{path}")
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])
