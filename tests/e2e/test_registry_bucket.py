"""A registry whose blobs are in an S3 bucket, under the tools that people push and pull with."""

import hashlib
import json
import os
import subprocess
import threading

import pytest
from support import image
from support.aws import Account, Stage, refused
from support.bucket import Bucket
from support.server import Server
from support.waiting import wait_until

# More than one part: it is stored in several.
LARGE = os.urandom(20 << 20)
LARGE_DIGEST = image.digest(LARGE)


@pytest.fixture
def bucket(tmp_path):
    bucket = Bucket(tmp_path).start()
    yield bucket
    if bucket.process:
        bucket.go_on()
        bucket.kill()


def verify(server, bucket, *arguments):
    return server.run("registry", "verify", *bucket.flags(), *arguments, check=False)


def skopeo(*words, password=None):
    where = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    for side, word in (("src", words[-2]), ("dest", words[-1])):
        if word.startswith("docker://"):
            where += [f"--{side}-creds", f"AWS:{password}"]
    subprocess.run(["skopeo", "--insecure-policy", "copy", *where, *words], check=True, capture_output=True, timeout=180)


def begin(pusher, repository, blob=LARGE):
    status, headers, _ = pusher.call("POST", f"/v2/{repository}/blobs/uploads/")
    assert status == 202
    status, headers, _ = pusher.call("PATCH", headers["Location"], blob)
    assert status == 202
    return headers["Location"]


def test_push_pull_and_run(own_server, bucket, tmp_path):
    own_server.start(*bucket.flags())
    account = Account(own_server)
    repository = account.repository("team/app")
    picture = image.busybox(extra=[("large", LARGE, 0o644)])
    pushed = image.write_layout(tmp_path / "in", [picture], "v1")
    skopeo(f"oci:{tmp_path}/in:v1", f"docker://{own_server.host}/{repository}:v1", password=account.password())
    skopeo(f"docker://{own_server.host}/{repository}:v1", f"oci:{tmp_path}/out:v1", password=account.password())
    top = json.loads((tmp_path / "out/index.json").read_text())["manifests"][0]
    assert top["digest"] == pushed
    # All of it is in the bucket, and nothing on the server's disk.
    assert bucket.blobs() == {*picture.blobs, pushed}
    assert max(bucket.file(digest).stat().st_size for digest in picture.blobs) > 16 << 20
    registry = own_server.data_dir / "registry"
    assert not (registry / "blobs").exists() and list((registry / "uploads").iterdir()) == []
    assert bucket.unfinished() == []
    # A part of a blob, and a mount into another repository, which costs nothing.
    pusher = image.Pusher(own_server.host, account.password())
    pusher.blob(repository, LARGE)
    for asked, part in (("bytes=8388600-8388700", LARGE[8388600:8388701]), ("bytes=-7", LARGE[-7:])):
        status, headers, told = pusher.call("GET", f"/v2/{repository}/blobs/{LARGE_DIGEST}", Range=asked)
        assert status == 206 and told == part, headers
    other = account.repository("team/other")
    before = bucket.file(LARGE_DIGEST).stat().st_mtime_ns
    status, _, _ = pusher.call("POST", f"/v2/{other}/blobs/uploads/?mount={LARGE_DIGEST}&from={repository}")
    assert status == 201 and bucket.file(LARGE_DIGEST).stat().st_mtime_ns == before
    status, _, told = pusher.call("GET", f"/v2/{other}/blobs/{LARGE_DIGEST}")
    assert status == 200 and told == LARGE
    # A task runs from it, also after a kill.
    stage = Stage(account, f"{own_server.host}/{repository}:v1")
    assert stage.output("wc -c < /large") == [str(len(LARGE))]
    own_server.kill()
    own_server.start(*bucket.flags())
    skopeo(f"docker://{own_server.host}/{repository}:v1", f"oci:{tmp_path}/again:v1", password=account.password())
    done = verify(own_server, bucket)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_kill_in_the_middle_of_storing(own_server, bucket):
    own_server.start(*bucket.flags())
    account = Account(own_server)
    repository = account.repository()
    pusher = image.Pusher(own_server.host, account.password())
    uploads = own_server.data_dir / "registry/uploads"
    # The S3 server is held while the parts are on their way. They may be faster than whoever looks: then once more.
    for _ in range(20):
        large = os.urandom(len(LARGE))
        digest = image.digest(large)
        location = begin(pusher, repository, large)

        def finish():
            try:
                pusher.call("PUT", f"{location}?digest={digest}")
            except OSError:
                pass

        client = threading.Thread(target=finish)
        client.start()
        wait_until(lambda: not client.is_alive() or list(uploads.glob("*.parts")), "the storing to begin", every=0.002)
        bucket.hold()
        if list(uploads.glob("*.parts")) and not bucket.file(digest).exists():
            break
        bucket.go_on()
        client.join()
    else:
        raise AssertionError("the storing was always over before it could be held")
    own_server.kill()
    client.join()
    bucket.go_on()

    own_server.start(*bucket.flags())
    # What was on its way is taken back; what was uploaded is there to go on with.
    assert list(uploads.glob("*.parts")) == [] and bucket.unfinished() == []
    status, headers, _ = pusher.call("GET", location)
    assert status == 204 and headers["Range"] == f"0-{len(large) - 1}"
    status, _, told = pusher.call("PUT", f"{location}?digest={digest}")
    assert status == 201, told
    assert pusher.call("GET", f"/v2/{repository}/blobs/{digest}")[2] == large
    assert list(uploads.iterdir()) == [] and verify(own_server, bucket).stdout == ""


def test_what_nobody_needs_goes(own_server, bucket):
    own_server.start(*bucket.flags())
    account = Account(own_server)
    one, other = account.repository("one"), account.repository("other")
    shared = image.layer(files=[("shared", b"shared", 0o644)])
    pictures = [image.Image([shared, image.layer(files=[("own", name.encode(), 0o644)])]) for name in (one, other)]
    account.push(pictures[0], one, "v1")
    account.push(pictures[1], other, "v1")
    assert bucket.blobs() == {d for p in pictures for d in (*p.blobs, p.digest)}
    account.ecr.delete_repository(repositoryName=one, force=True)
    wait_until(lambda: bucket.blobs() == {*pictures[1].blobs, pictures[1].digest}, "the repository's own blobs to go")
    # Wrong bytes are never seen there, nor is what a refused command has brought.
    pusher = image.Pusher(own_server.host, account.password())
    location = begin(pusher, other)
    status, _, _ = pusher.call("PUT", f"{location}?digest={image.digest(b'other bytes')}")
    assert status == 400 and bucket.blobs() == {*pictures[1].blobs, pictures[1].digest}
    lacking = pictures[0].manifest
    assert pusher.call("PUT", f"/v2/{other}/manifests/v2", lacking, Content_Type=image.MANIFEST)[0] == 400
    wait_until(lambda: bucket.blobs() == {*pictures[1].blobs, pictures[1].digest}, "the refused manifest to go")
    # A crash can leave some: the next start removes it, and leaves what isn't a blob.
    own_server.kill()
    orphan, stranger = bucket.file(image.digest(b"orphan")), bucket.folder / "team/notes.txt"
    orphan.write_bytes(b"orphan")
    stranger.write_bytes(b"not ours")
    told = verify(own_server, bucket)
    assert told.returncode == 0 and set(told.stdout.splitlines()) == {
        f"left over: s3://images/team/{name}" for name in (image.digest(b"orphan").replace(":", "/"), "notes.txt")}
    own_server.start(*bucket.flags())
    assert not orphan.exists() and stranger.exists()
    stranger.unlink()
    assert verify(own_server, bucket).stdout == ""


def test_damage_is_named_and_mended_by_the_next_push(own_server, bucket):
    own_server.start(*bucket.flags())
    account = Account(own_server)
    picture = image.Image([image.layer(files=[("a", b"a" * 100, 0o644)]), image.layer(files=[("b", b"b", 0o644)])])
    repository = account.repository("app")
    account.push(picture, repository, "v1")
    _, flipped, lost = picture.blobs if len(picture.blobs) == 3 else pytest.fail("three blobs")
    damaged = bytearray(bucket.file(flipped).read_bytes())
    damaged[10] ^= 1
    bucket.file(flipped).write_bytes(damaged)
    bucket.file(lost).unlink()
    done = verify(own_server, bucket, "--json")
    assert done.returncode == 1
    found = {(entry["finding"], entry["digest"]) for entry in json.loads(done.stdout)["findings"]}
    assert found == {("damagedBlob", flipped), ("missingBlob", lost)}
    bucket.file(flipped).unlink()
    account.push(picture, repository, "v1")
    assert verify(own_server, bucket).stdout == ""


def test_a_store_that_fails_is_said_and_nothing_is_lost(own_server, bucket):
    own_server.start(*bucket.flags())
    account = Account(own_server)
    repository = account.repository()
    pusher = image.Pusher(own_server.host, account.password())
    pusher.blob(repository, b"before")
    location = begin(pusher, repository)
    upload = account.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    account.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=4,
                                  layerPartBlob=b"parts")
    bucket.kill()
    for method, path in (("PUT", f"{location}?digest={LARGE_DIGEST}"),
                         ("GET", f"/v2/{repository}/blobs/{image.digest(b'before')}")):
        status, headers, told = pusher.call(method, path)
        assert status == 503 and headers["Retry-After"] and b"blob store failed" in told, (status, told)
    complete = dict(repositoryName=repository, uploadId=upload, layerDigests=[image.digest(b"parts")])
    refused(lambda: account.ecr.complete_layer_upload(**complete), "ServerException", "blob store failed")
    bucket.start()
    # The uploads are still there to be finished.
    assert pusher.call("PUT", f"{location}?digest={LARGE_DIGEST}")[0] == 201
    account.ecr.complete_layer_upload(**complete)
    assert pusher.call("GET", f"/v2/{repository}/blobs/{LARGE_DIGEST}")[2] == LARGE
    assert verify(own_server, bucket).stdout == ""


def test_a_registry_and_its_bucket_belong_together(own_server, bucket, tmp_path):
    def fails(server, *arguments):
        done = server.run("up", "--foreground", "--no-sample", *arguments, check=False)
        assert done.returncode == 1, done.stdout
        return done.stderr
    assert "s3" in fails(own_server, *bucket.flags(secret="wrong"))
    own_server.start(*bucket.flags())
    account = Account(own_server)
    account.push(image.busybox(), account.repository("app"), "v1")
    blobs = bucket.blobs()
    own_server.kill()
    assert "say so with --blobs" in fails(own_server)
    assert "not in s3://images/elsewhere" in fails(own_server, *bucket.flags("elsewhere"))
    other = Server("longshore-own-")
    try:
        assert "belongs to another registry" in fails(other, *bucket.flags())
    finally:
        other.down()
        other.remove()
    assert bucket.blobs() == blobs
    own_server.start(*bucket.flags())
    done = own_server.run("registry", "verify", check=False)
    assert done.returncode == 1 and "say so with --blobs" in done.stderr
    assert hashlib.sha256(bucket.file(next(iter(blobs))).read_bytes()).hexdigest() in next(iter(blobs))
