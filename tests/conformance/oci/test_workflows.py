"""What several clients do at once, and what no registry may do while they do it."""

import hashlib
import json
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

from kit.distribution import INDEX, MANIFEST, OCTETS, descriptor, digest, fresh, with_query

PIECE = os.urandom(1 << 20)
LARGE, BOUND = 192, 64  # MiB


def test_layer_upload_deduplication(registry, repository):
    """"If process A and B upload the same layer at the same time, both operations will proceed"."""
    content = fresh() * 10_000
    locations = [registry.begin(repository) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda location: registry.close(location, digest(content), content), locations))
    assert [answer.status for answer in answers] == [201] * 8
    assert registry.get(f"/v2/{repository}/blobs/{digest(content)}").body == content


def test_one_tag_of_many_pushers(registry, repository):
    """The tag is one of them, and each is there by its digest."""
    contents = [registry.image(repository) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda content: registry.put_manifest(repository, "tag", content), contents))
    assert [answer.status for answer in answers] == [201] * 8
    assert registry.get(f"/v2/{repository}/manifests/tag").body in contents
    for content in contents:
        assert registry.get(f"/v2/{repository}/manifests/{digest(content)}").body == content


def test_a_deleted_blob_and_its_pushers(registry, repository):
    """Whoever is told 201 or 202 last is right."""
    content = fresh()
    name = registry.push_blob(repository, content)
    for _ in range(20):
        with ThreadPoolExecutor(2) as pool:
            gone = pool.submit(registry.delete, f"/v2/{repository}/blobs/{name}")
            pool.submit(registry.push_blob, repository, content).result()
            assert gone.result().status in (202, 404)
        found = registry.get(f"/v2/{repository}/blobs/{name}")
        assert found.status == 404 or found.body == content
        registry.push_blob(repository, content)
        assert registry.get(f"/v2/{repository}/blobs/{name}").body == content


def test_resumable_push(registry, repository):
    """"Resumable Push": the registry tells what it has, the client sends the rest."""
    content = PIECE[:300_000]
    location = registry.begin(repository)
    assert registry.chunk(location, content[:100_000], 0).status == 202
    status = registry.get(location)
    have = int(status.headers["Range"].split("-")[1]) + 1
    assert have == 100_000
    answer = registry.chunk(status.location, content[have:], have)
    assert registry.close(answer.location, digest(content)).status == 201


def test_resumable_pull(registry, repository):
    """"Resumable Pull": "uses http Range requests to avoid downloading repeated data"."""
    name = registry.push_blob(repository, PIECE)
    path = f"/v2/{repository}/blobs/{name}"
    parts = [registry.get(path, Range=f"bytes={first}-{first + 299_999}").body for first in range(0, 1 << 20, 300_000)]
    assert b"".join(parts) == PIECE


def peak_mib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def test_a_large_blob_is_never_held_in_memory(registry, repository, server):
    before, whole = peak_mib(server), hashlib.sha256()
    for _ in range(LARGE):
        whole.update(PIECE)
    target = with_query(registry.begin(repository), digest=f"sha256:{whole.hexdigest()}")
    answer = registry.call("PUT", target, (PIECE for _ in range(LARGE)), {
        "Content-Type": OCTETS, "Content-Length": str(LARGE << 20)})
    assert answer.status == 201
    found = registry.get(answer.location)
    assert hashlib.sha256(found.body).hexdigest() == whole.hexdigest()
    assert peak_mib(server) - before < BOUND


def test_referrers_that_a_client_of_1_0_listed(registry, repository):
    """"Enabling the Referrers API": a list kept under the referrers tag schema stays an index like any other, and
    the API lists what it lists."""
    subject = registry.push_image(repository, "subject")
    content = registry.artifact(repository, descriptor(subject, MANIFEST), "application/vnd.example.sbom")
    assert registry.put_manifest(repository, digest(content), content).status == 201
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(content, MANIFEST)]}).encode()
    tag = digest(subject).replace(":", "-")
    assert registry.put_manifest(repository, tag, index, INDEX).status == 201
    assert registry.get(f"/v2/{repository}/manifests/{tag}").body == index
    listed = registry.get(f"/v2/{repository}/referrers/{digest(subject)}").json["manifests"]
    assert [entry["digest"] for entry in listed] == [digest(content)]
