"""Push: "Pushing a blob in chunks"."""

import pytest
from kit.distribution import OCTETS, digest, fresh, with_query

CONTENT = b"a first part, " + b"a second part, " + b"the rest"
PARTS = [b"a first part, ", b"a second part, ", b"the rest"]


def end_of(answer):
    """The <end-of-range> of "Range: 0-<end-of-range>"."""
    first, last = answer.headers["Range"].split("-")
    assert first == "0"
    return int(last)


@pytest.mark.parametrize("last_by", ["PATCH", "PUT"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_chunks_in_order(registry, repository, last_by, algorithm):
    parts = [fresh(), b"x" * 70_000, fresh("end")]
    content = b"".join(parts)
    location, sent = registry.begin(repository), 0
    for part in parts if last_by == "PATCH" else parts[:-1]:
        answer = registry.chunk(location, part, sent)
        sent += len(part)
        assert answer.status == 202
        assert end_of(answer) == sent - 1
        location = answer.location
    target = with_query(location, digest=digest(content, algorithm))
    if last_by == "PATCH":
        answer = registry.call("PUT", target, headers={"Content-Length": "0"})
    else:
        answer = registry.call("PUT", target, parts[-1], {
            "Content-Type": OCTETS, "Content-Range": f"{sent}-{len(content) - 1}"})
    assert answer.status == 201
    assert registry.get(answer.location).body == content
    assert registry.head(f"/v2/{repository}/blobs/{digest(content, algorithm)}").status == 200


def test_a_chunk_out_of_order(registry, repository):
    """416, and the upload goes on where it was."""
    location = registry.begin(repository)
    assert registry.chunk(location, PARTS[1], len(PARTS[0])).status == 416
    answer = registry.chunk(location, PARTS[0], 0)
    assert answer.status == 202
    for first in (0, len(PARTS[0]) - 1, len(PARTS[0]) + 1):
        assert registry.chunk(answer.location, PARTS[1], first).status == 416
    status = registry.get(answer.location)
    assert status.status == 204 and end_of(status) == len(PARTS[0]) - 1
    answer = registry.chunk(status.location, PARTS[1], len(PARTS[0]))
    assert answer.status == 202
    assert registry.close(answer.location, digest(CONTENT), PARTS[2]).status == 201


def test_a_last_chunk_out_of_order(registry, repository):
    answer = registry.chunk(registry.begin(repository), PARTS[0], 0)
    target = with_query(answer.location, digest=digest(CONTENT))
    answer = registry.call("PUT", target, PARTS[2], {"Content-Type": OCTETS, "Content-Range": "99-106"})
    assert answer.status == 416
    assert registry.head(f"/v2/{repository}/blobs/{digest(CONTENT)}").status == 404


def test_the_same_chunk_again(registry, repository):
    """As after an answer that was lost: the status tells that it is there."""
    location = registry.begin(repository)
    assert registry.chunk(location, PARTS[0], 0).status == 202
    assert registry.chunk(location, PARTS[0], 0).status == 416
    assert end_of(registry.get(location)) == len(PARTS[0]) - 1


@pytest.mark.parametrize("text", ["5", "a-b", "9-0", "-5", "0-"])
def test_a_range_that_is_none(registry, repository, text):
    answer = registry.call("PATCH", registry.begin(repository), b"12345", {
        "Content-Type": OCTETS, "Content-Range": text})
    assert answer.status in (400, 416)
    assert answer.codes == ["BLOB_UPLOAD_INVALID"]


def test_a_range_of_another_length_than_the_body(registry, repository):
    location = registry.begin(repository)
    answer = registry.chunk(location, b"12345", 0, last=9)
    assert answer.status in (400, 416)
    assert answer.codes[0] in ("SIZE_INVALID", "BLOB_UPLOAD_INVALID")
    assert registry.chunk(location, b"12345", 0).status == 202


def test_the_status_of_a_session(registry, repository):
    """end-13."""
    location = registry.begin(repository)
    assert registry.get(location).status == 204
    location = registry.chunk(location, PARTS[0], 0).location
    answer = registry.get(location)
    assert answer.status == 204 and answer.body == b""
    assert answer.location and end_of(answer) == len(PARTS[0]) - 1


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_streamed_chunk(registry, repository, pieces):
    """A PATCH without range or length: Docker pushes so ("Transfer-Encoding: chunked")."""
    parts = [fresh() for _ in range(pieces)]
    content = b"".join(parts)
    answer = registry.call("PATCH", registry.begin(repository), iter(parts), {
        "Content-Type": OCTETS, "Transfer-Encoding": "chunked"}, chunked=True)
    assert answer.status == 202
    assert end_of(answer) == len(content) - 1
    assert registry.close(answer.location, digest(content)).status == 201


def test_streamed_chunks_follow_each_other(registry, repository):
    location = registry.begin(repository)
    for part in PARTS:
        answer = registry.call("PATCH", location, iter([part]), {
            "Content-Type": OCTETS, "Transfer-Encoding": "chunked"}, chunked=True)
        assert answer.status == 202
        location = answer.location
    answer = registry.close(location, digest(CONTENT))
    assert answer.status == 201 and registry.get(answer.location).body == CONTENT


def test_a_digest_of_the_last_chunk_only(registry, repository):
    """"the <digest> of the whole blob (not the final chunk)"."""
    answer = registry.chunk(registry.begin(repository), PARTS[0], 0)
    answer = registry.close(answer.location, digest(PARTS[2]), PARTS[2])
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


def test_a_minimum_that_is_announced_is_a_number(registry, repository):
    answer = registry.call("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    assert int(answer.headers.get("OCI-Chunk-Min-Length", "0")) >= 0
