"""Push: "Pushing Manifests", "Pushing Manifests with Subject"."""

import json

import pytest
from kit.distribution import CONFIG, DOCKER, DOCKER_LIST, EMPTY, INDEX, LAYER, MANIFEST, descriptor, digest, fresh

MISSING = descriptor(b"nobody pushes this", MANIFEST)


def test_by_tag_and_by_digest(registry, repository):
    content = registry.image(repository)
    for reference in ("v1", digest(content)):
        answer = registry.put_manifest(repository, reference, content)
        assert answer.status == 201
        assert answer.headers["Docker-Content-Digest"] == digest(content)
        assert registry.get(answer.location).body == content


def test_by_a_sha512_digest(registry, repository):
    """"MUST be equal to the client provided digest"."""
    content = registry.image(repository)
    name = digest(content, "sha512")
    answer = registry.put_manifest(repository, name, content)
    assert answer.status == 201
    assert answer.headers["Docker-Content-Digest"] == name
    assert registry.get(answer.location).body == content
    assert registry.get(f"/v2/{repository}/manifests/{name}").body == content


@pytest.mark.parametrize("layout", [{"indent": 3}, {"separators": (",", ":")}, {"indent": "\t", "sort_keys": True}])
def test_the_exact_bytes_are_kept(registry, repository, layout):
    document = json.loads(registry.image(repository))
    content = json.dumps({**document, "unknownToAll": {"ü": [1.50, None]}}, **layout).encode() + b"\n"
    assert registry.put_manifest(repository, "exact", content).status == 201
    assert registry.get(f"/v2/{repository}/manifests/exact").body == content


def test_parameters_of_the_content_type_are_ignored(registry, repository):
    content = registry.image(repository)
    answer = registry.put_manifest(repository, "v1", content, f"{MANIFEST}; charset=utf-8")
    assert answer.status == 201
    assert registry.get(f"/v2/{repository}/manifests/v1").media_type == MANIFEST


def test_a_tag_moves(registry, repository):
    old, new = (registry.push_image(repository, "moving") for _ in range(2))
    assert registry.get(f"/v2/{repository}/manifests/moving").body == new
    assert registry.get(f"/v2/{repository}/manifests/{digest(old)}").body == old


def test_several_tags_with_one_push(registry, repository):
    """Of the specification after 1.1 (end-7b)."""
    content = registry.image(repository)
    answer = registry.put_manifest(repository, f"{digest(content)}?tag=1&tag=1.2", content)
    assert answer.status == 201
    told = ", ".join(answer.headers.get_all("OCI-Tag"))
    assert {tag.strip() for tag in told.split(",")} == {"1", "1.2"}
    assert registry.get(f"/v2/{repository}/manifests/1.2").body == content


@pytest.mark.parametrize("media_type", [DOCKER, DOCKER_LIST, INDEX])
def test_other_kinds_of_manifests(registry, repository, media_type):
    image = json.loads(registry.image(repository))
    if media_type == DOCKER:
        document = {**image, "mediaType": DOCKER}
    else:
        member = registry.push_image(repository)
        platform = {"os": "linux", "architecture": "amd64"}
        document = {"schemaVersion": 2, "mediaType": media_type,
                    "manifests": [{**descriptor(member, MANIFEST), "platform": platform}]}
    content = json.dumps(document).encode()
    assert registry.put_manifest(repository, "kind", content, media_type).status == 201
    answer = registry.get(f"/v2/{repository}/manifests/kind")
    assert (answer.body, answer.media_type) == (content, media_type)


def test_an_image_without_layers(registry, repository):
    """"the list of blobs MAY be empty"."""
    registry.push_blob(repository, b"{}")
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(b"{}", EMPTY), "layers": []}
    assert registry.put_manifest(repository, "bare", document).status == 201
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    assert registry.put_manifest(repository, "bare-index", index, INDEX).status == 201


def test_a_manifest_without_a_media_type_inside(registry, repository):
    """"All manifests SHOULD include a mediaType field": those that don't go by the header."""
    document = json.loads(registry.image(repository))
    del document["mediaType"]
    assert registry.put_manifest(repository, "plain", document).status == 201
    assert registry.get(f"/v2/{repository}/manifests/plain").media_type == MANIFEST


def test_what_it_refers_to_must_be_there(registry, repository):
    """"When a manifest is rejected for this reason, it MUST result in one or more MANIFEST_BLOB_UNKNOWN errors"."""
    document = json.loads(registry.image(repository))
    for broken in ({**document, "config": descriptor(fresh(), CONFIG)},
                   {**document, "layers": [*document["layers"], descriptor(fresh(), LAYER)]}):
        answer = registry.put_manifest(repository, "broken", broken)
        assert 400 <= answer.status < 500 and set(answer.codes) == {"MANIFEST_BLOB_UNKNOWN"}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [MISSING]}
    answer = registry.put_manifest(repository, "broken", index, INDEX)
    assert 400 <= answer.status < 500 and set(answer.codes) == {"MANIFEST_BLOB_UNKNOWN"}
    assert registry.get(f"/v2/{repository}/manifests/broken").status == 404


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"plain text", b"{}", b'{"schemaVersion":1}',
                                     b'{"schemaVersion":2,"layers":"none"}', b"\xff\xfe"])
def test_what_is_no_manifest(registry, repository, content):
    answer = registry.put_manifest(repository, "none", content)
    assert (answer.status, answer.codes) == (400, ["MANIFEST_INVALID"])
    assert registry.get(f"/v2/{repository}/manifests/none").status == 404


def test_a_type_that_is_not_the_one_inside(registry, repository):
    """"clients MUST set the Content-Type header to the value specified by the mediaType field"."""
    answer = registry.put_manifest(repository, "mixed", registry.image(repository), INDEX)
    assert (answer.status, answer.codes) == (400, ["MANIFEST_INVALID"])


def test_a_digest_of_something_else(registry, repository):
    content = registry.image(repository)
    answer = registry.put_manifest(repository, digest(b"something else"), content)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    assert registry.get(f"/v2/{repository}/manifests/{digest(content)}").status == 404


@pytest.mark.parametrize("tag", ["v" * 128, "_", "1", "A.b-C_d", "latest"])
def test_tags_that_are_allowed(registry, repository, tag):
    content = registry.push_image(repository, tag)
    assert registry.get(f"/v2/{repository}/manifests/{tag}").body == content


@pytest.mark.parametrize("tag", ["v" * 129, ".dot", "-dash", "a%20b", "a%2Fb", "%C3%BC", "a+b"])
def test_tags_that_are_none(registry, repository, tag):
    """"<reference> as a tag MUST be at most 128 characters in length and MUST match"."""
    answer = registry.put_manifest(repository, tag, registry.image(repository))
    assert answer.status in (400, 404)
    assert registry.get(f"/v2/{repository}/tags/list").json["tags"] == []


def test_four_megabytes(registry, repository):
    """"SHOULD expect to be able to support manifest pushes of at least 4 megabytes"; 413 above the limit."""
    document = json.loads(registry.image(repository))
    bare = len(json.dumps({**document, "annotations": {"a": ""}}))
    content = json.dumps({**document, "annotations": {"a": "x" * (4_000_000 - bare)}}).encode()
    assert len(content) == 4_000_000
    assert registry.put_manifest(repository, "large", content).status == 201
    content = json.dumps({**document, "annotations": {"a": "x" * (16 << 20)}}).encode()
    answer = registry.put_manifest(repository, "larger", content)
    assert answer.status == 413
    assert registry.get(f"/v2/{repository}/manifests/larger").status == 404


def test_a_push_to_a_repository_that_is_not_there(registry):
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    answer = registry.put_manifest("conformance/nowhere", "v1", document, INDEX)
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])


def test_a_layer_that_is_kept_elsewhere(registry, repository):
    """Image specification, "Non-Distributable Layers": nobody pushes them, and the manifest is taken without."""
    kinds = ["application/vnd.oci.image.layer.nondistributable.v1.tar",
             "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
             "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"]
    document = json.loads(registry.image(repository))
    document["layers"] += [{**descriptor(fresh(), kind), "urls": ["https://layers.example/1"]} for kind in kinds]
    content = json.dumps(document).encode()
    assert registry.put_manifest(repository, "foreign", content).status == 201
    assert registry.get(f"/v2/{repository}/manifests/foreign").body == content
    for layer in document["layers"][1:]:
        assert registry.get(f"/v2/{repository}/blobs/{layer['digest']}").status == 404


def test_a_layer_with_an_address_is_needed_all_the_same(registry, repository):
    document = json.loads(registry.image(repository))
    document["layers"].append({**descriptor(fresh(), LAYER), "urls": ["https://layers.example/1"]})
    answer = registry.put_manifest(repository, "lacking", document)
    assert answer.codes == ["MANIFEST_BLOB_UNKNOWN"]


@pytest.mark.parametrize("layers", [{}, {"layers": []}, {"layers": None}])
def test_an_artifact_without_layers(registry, repository, layers):
    registry.push_blob(repository, b"{}")
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(b"{}", EMPTY),
                "artifactType": "application/vnd.example.note", **layers}
    assert registry.put_manifest(repository, "bare", document).status == 201


def test_everything_by_sha512(registry, repository):
    """Config, layers, an index's members, and the index itself."""
    config, layer = fresh('{"architecture":"amd64","os":"linux"} '), fresh("layer")
    for blob in (config, layer):
        registry.push_blob(repository, blob, "sha512")
    content = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config, CONFIG, "sha512"),
        "layers": [descriptor(layer, LAYER, "sha512")]}).encode()
    assert registry.put_manifest(repository, digest(content, "sha512"), content).status == 201
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX,
                        "manifests": [descriptor(content, MANIFEST, "sha512")]}).encode()
    answer = registry.put_manifest(repository, f"{digest(index, 'sha512')}?tag=long", index, INDEX)
    assert answer.status == 201 and answer.headers["OCI-Tag"] == "long"
    found = registry.get(f"/v2/{repository}/manifests/long")
    assert (found.body, found.headers["Docker-Content-Digest"]) == (index, digest(index, "sha512"))
    # One content, two names: the sha256 one was never pushed.
    assert registry.get(f"/v2/{repository}/manifests/{digest(content)}").status == 404


# With a subject -----------------------------------------------------------------------------


def test_a_subject_is_acknowledged(registry, repository):
    """"MUST respond with the response header OCI-Subject: <subject digest>"."""
    subject = descriptor(registry.push_image(repository, "v1"), MANIFEST)
    content = registry.artifact(repository, subject, "application/vnd.example.sbom")
    for reference in (digest(content), "sbom"):
        answer = registry.put_manifest(repository, reference, content)
        assert answer.status == 201
        assert answer.headers["OCI-Subject"] == subject["digest"]


def test_a_subject_that_is_not_there_yet(registry, repository):
    """"MUST initially accept an otherwise valid manifest with a subject field that references a manifest that
    does not exist"."""
    image = registry.image(repository)
    content = registry.artifact(repository, descriptor(image, MANIFEST))
    answer = registry.put_manifest(repository, digest(content), content)
    assert answer.status == 201 and answer.headers["OCI-Subject"] == digest(image)


def test_an_index_with_a_subject(registry, repository):
    subject = descriptor(registry.push_image(repository, "v1"), MANIFEST)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject}
    answer = registry.put_manifest(repository, "signed", index, INDEX)
    assert answer.status == 201 and answer.headers["OCI-Subject"] == subject["digest"]


def test_no_subject_no_header(registry, repository):
    answer = registry.put_manifest(repository, "v1", registry.image(repository))
    assert "OCI-Subject" not in answer.headers
