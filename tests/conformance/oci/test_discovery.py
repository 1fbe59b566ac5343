"""Content discovery: "Listing Tags", "Listing Referrers"."""

import json
import re
import urllib.parse

import pytest
from kit.distribution import CONFIG, EMPTY, INDEX, MANIFEST, descriptor, digest

TAGS = ["a", "A", "b.1", "b-1", "C", "v1", "v10", "v2", "_x", "0"]
LINK = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
SBOM, SIGNATURE = "application/vnd.example.sbom.v1", "application/vnd.example.signature.v1"


def following(answer):
    """The path of the next page (RFC 5988), if there is one."""
    link = answer.headers.get("Link")
    return link and LINK.fullmatch(link)[1]


@pytest.fixture
def tagged(registry, repository):
    content = registry.push_image(repository, TAGS[0])
    for tag in TAGS[1:]:
        assert registry.put_manifest(repository, tag, content).status == 201
    return repository


def test_all_tags(registry, tagged):
    answer = registry.get(f"/v2/{tagged}/tags/list")
    assert answer.status == 200 and answer.headers.get_content_type() == "application/json"
    assert set(answer.json) == {"name", "tags"}
    assert answer.json["name"] == tagged
    tags = answer.json["tags"]
    assert sorted(tags) == sorted(TAGS)
    # 1.1 says case-insensitive; its successor allows the order of ASCII, which every registry had.
    assert tags == sorted(TAGS) or tags == sorted(TAGS, key=str.lower)


def test_no_tags(registry, repository):
    assert registry.get(f"/v2/{repository}/tags/list").json == {"name": repository, "tags": []}


@pytest.mark.parametrize("n", [1, 3, 9, 10, 11, 100000])
def test_pages_of_tags(registry, tagged, n):
    """By Link, and by `last`: the same pages."""
    everything = registry.get(f"/v2/{tagged}/tags/list").json["tags"]
    path, seen = f"/v2/{tagged}/tags/list?n={n}", []
    while path:
        answer = registry.get(path)
        assert answer.status == 200
        tags = answer.json["tags"]
        if seen:
            last = urllib.parse.quote(seen[-1])
            assert registry.get(f"/v2/{tagged}/tags/list?n={n}&last={last}").json["tags"] == tags
        seen += tags
        path = following(answer)
        assert len(tags) == n or (len(tags) < n and not path)
    assert seen == everything


def test_tags_after_one(registry, tagged):
    """"When using the last query parameter, the n parameter is OPTIONAL"."""
    tags = registry.get(f"/v2/{tagged}/tags/list").json["tags"]
    answer = registry.get(f"/v2/{tagged}/tags/list?last={tags[3]}")
    assert answer.json["tags"] == tags[4:]
    assert registry.get(f"/v2/{tagged}/tags/list?last={tags[-1]}").json["tags"] == []


def test_tags_after_one_that_is_gone(registry, tagged):
    """A page's last tag may be deleted before the next page is asked for."""
    tags = registry.get(f"/v2/{tagged}/tags/list").json["tags"]
    assert registry.delete(f"/v2/{tagged}/manifests/{tags[3]}").status == 202
    assert registry.get(f"/v2/{tagged}/tags/list?n=2&last={tags[3]}").json["tags"] == tags[4:6]


def test_zero_tags(registry, tagged):
    """"When n is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header"."""
    answer = registry.get(f"/v2/{tagged}/tags/list?n=0")
    assert answer.status == 200 and answer.json["tags"] == []
    assert "Link" not in answer.headers


@pytest.mark.parametrize("n", ["-1", "x", "1.5", "99999999999999999999999"])
def test_a_number_that_is_none(registry, tagged, n):
    """The code is one of the specification's list (kit/distribution.py checks that)."""
    assert registry.get(f"/v2/{tagged}/tags/list?n={n}").status == 400


# Referrers ----------------------------------------------------------------------------------


def referrers(registry, repository, name, **query):
    path = f"/v2/{repository}/referrers/{name}" + ("?" + urllib.parse.urlencode(query) if query else "")
    answer = registry.get(path)
    assert answer.status == 200, answer
    assert answer.media_type == INDEX
    assert answer.json["schemaVersion"] == 2 and answer.json["mediaType"] == INDEX
    return answer


@pytest.fixture
def subject(registry, repository):
    return descriptor(registry.push_image(repository, "subject"), MANIFEST)


def refer(registry, repository, subject, **fields):
    """Pushes a manifest that refers to the subject; the descriptor to be listed."""
    content = registry.artifact(repository, subject, **fields)
    assert registry.put_manifest(repository, digest(content), content).status == 201
    document = json.loads(content)
    kind = document.get("artifactType") or document["config"]["mediaType"]
    return {**descriptor(content, MANIFEST), "artifactType": kind, "annotations": document["annotations"]}


def by_digest(descriptors):
    return sorted(descriptors, key=lambda entry: entry["digest"])


def test_no_referrers(registry, repository, subject):
    """"If a query results in no matching referrers, an empty manifest list MUST be returned"."""
    assert referrers(registry, repository, subject["digest"]).json["manifests"] == []


def test_no_referrers_of_what_is_not_there(registry, repository):
    """"the registry MUST NOT return a 404"."""
    assert referrers(registry, repository, digest(b"nothing")).json["manifests"] == []


def test_referrers_with_type_and_annotations(registry, repository, subject):
    listed = [
        refer(registry, repository, subject, artifact_type=SBOM, annotations={"org.example.format": "json"}),
        refer(registry, repository, subject, artifact_type=SIGNATURE),
        # "If the artifactType is empty or missing …, MUST be set to the config descriptor mediaType value".
        refer(registry, repository, subject, config_type=CONFIG),
        refer(registry, repository, subject, artifact_type="", config_type=CONFIG),
    ]
    answer = referrers(registry, repository, subject["digest"])
    assert by_digest(answer.json["manifests"]) == by_digest(listed)


def test_an_index_that_refers(registry, repository, subject):
    """"If the artifactType is empty or missing in an index, the artifactType MUST be omitted"."""
    found = {}
    for kind in (None, "", SBOM):
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": subject,
                    "annotations": {"kind": str(kind)}}
        if kind is not None:
            document["artifactType"] = kind
        content = json.dumps(document).encode()
        assert registry.put_manifest(repository, digest(content), content, INDEX).status == 201
        found[digest(content)] = {**descriptor(content, INDEX), "annotations": {"kind": str(kind)},
                                  **({"artifactType": kind} if kind else {})}
    listed = referrers(registry, repository, subject["digest"]).json["manifests"]
    assert by_digest(listed) == by_digest(found.values())


def test_a_filter(registry, repository, subject):
    """"If filtering is requested and applied, the response MUST include a header OCI-Filters-Applied"."""
    sbom = refer(registry, repository, subject, artifact_type=SBOM)
    refer(registry, repository, subject, artifact_type=SIGNATURE)
    answer = referrers(registry, repository, subject["digest"], artifactType=SBOM)
    assert answer.json["manifests"] == [sbom]
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    answer = referrers(registry, repository, subject["digest"], artifactType="application/vnd.example.none")
    assert answer.json["manifests"] == []
    assert "OCI-Filters-Applied" not in referrers(registry, repository, subject["digest"]).headers


def test_a_filter_by_the_configs_type(registry, repository, subject):
    plain = refer(registry, repository, subject, config_type=EMPTY)
    answer = referrers(registry, repository, subject["digest"], artifactType=EMPTY)
    assert answer.json["manifests"] == [plain]


def test_referrers_that_came_before_their_subject(registry, repository):
    image = registry.image(repository)
    listed = refer(registry, repository, descriptor(image, MANIFEST), artifact_type=SBOM)
    assert referrers(registry, repository, digest(image)).json["manifests"] == [listed]
    assert registry.put_manifest(repository, "late", image).status == 201
    assert referrers(registry, repository, digest(image)).json["manifests"] == [listed]


def test_referrers_of_a_referrer(registry, repository, subject):
    sbom = refer(registry, repository, subject, artifact_type=SBOM)
    signature = refer(registry, repository, sbom, artifact_type=SIGNATURE)
    assert referrers(registry, repository, sbom["digest"]).json["manifests"] == [signature]
    assert referrers(registry, repository, subject["digest"]).json["manifests"] == [sbom]


def test_referrers_of_another_repository_are_not_listed(registry, repository, other, subject):
    """"in the same <name> namespace"."""
    refer(registry, other, subject, artifact_type=SBOM)
    assert referrers(registry, repository, subject["digest"]).json["manifests"] == []


def test_a_deleted_referrer_is_not_listed(registry, repository, subject):
    sbom = refer(registry, repository, subject, artifact_type=SBOM)
    assert registry.delete(f"/v2/{repository}/manifests/{sbom['digest']}").status == 202
    assert referrers(registry, repository, subject["digest"]).json["manifests"] == []


def test_a_sha512_subject(registry, repository):
    content = registry.image(repository)
    assert registry.put_manifest(repository, digest(content, "sha512"), content).status == 201
    subject = descriptor(content, MANIFEST, "sha512")
    listed = refer(registry, repository, subject, artifact_type=SBOM)
    assert referrers(registry, repository, subject["digest"]).json["manifests"] == [listed]


def test_more_referrers_than_one_answer_holds(registry, repository, subject):
    """"A Link header MUST be included in the response when the descriptor list cannot be returned in a single
    manifest": no page is larger than a manifest may be, and the pages make the whole."""
    listed = {refer(registry, repository, subject, artifact_type=SBOM, annotations={"fill": "x" * 900_000})["digest"]
              for _ in range(6)}
    path, seen, pages = f"/v2/{repository}/referrers/{subject['digest']}?artifactType={SBOM}", [], 0
    while path:
        answer = registry.get(path)
        assert answer.status == 200 and answer.media_type == INDEX and len(answer.body) <= 4 << 20
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        seen += [entry["digest"] for entry in answer.json["manifests"]]
        path, pages = following(answer), pages + 1
    assert pages > 1 and len(seen) == len(set(seen)) and set(seen) == listed


@pytest.mark.parametrize("name", ["nodigest", "sha256:short", "sha256:" + "Z" * 64, "md5:" + "a" * 32])
def test_referrers_of_no_digest(registry, repository, name):
    """"If the request is invalid, such as a <digest> with an invalid syntax, a 400 Bad Request MUST be returned"."""
    assert registry.get(f"/v2/{repository}/referrers/{name}").status == 400
