"""A full disk and a read-only one: clear errors, nothing acknowledged is lost, and it goes on when there is room."""

import os
import subprocess
import urllib.error

import pytest
from botocore.exceptions import ClientError
from support import image
from support.aws import Account, Stage, refused, unique
from support.server import Server
from support.waiting import wait_until

pytestmark = pytest.mark.long


class Disk:
    """A small file system of its own, which the server's directory and its output lie on."""

    def __init__(self, place, size):
        self.place = place
        self.filler = place / "filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)

    def fill(self, leave=0):
        """Takes what room there is, to the last byte but `leave`."""
        with open(self.filler, "wb") as filler:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        os.write(filler.fileno(), b"x" * size)
                except OSError:
                    pass
            if leave:
                filler.truncate(max(0, filler.seek(0, os.SEEK_END) - leave))

    def empty(self):
        self.filler.unlink(missing_ok=True)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.place)], check=True)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.place)], check=True)


@pytest.fixture
def small():
    server = Server("longshore-disk-")
    disk = Disk(server.home, "96m")
    server.disk = disk
    yield server
    disk.remount("rw")
    disk.empty()
    server.down()
    left = server.leftovers()
    assert left == [], "something is left after `longshore down`:\n" + "\n".join(left)
    disk.unmount()
    server.remove()


def health(server):
    try:
        return server.get("/healthz")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until_refused(create):
    """Calls until it is refused for want of room; how often it went well before."""
    for n in range(100_000):
        try:
            create(n)
        except ClientError as error:
            return n, error.response["Error"]
    raise AssertionError("the disk doesn't get full")


def push_by_parts(account, repository):
    size = 1 << 20
    upload = account.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    account.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=size - 1,
                                  layerPartBlob=os.urandom(size))


def test_a_full_disk_is_said_and_survived(small):
    small.start()
    account = Account(small)
    stage = Stage(account, account.push(image.busybox()))
    task = stage.wait_running(stage.run_script("i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done", logged=True))
    wait_until(lambda: stage.lines(task), "some lines")
    repository = account.repository()
    base = unique("full")
    pusher = image.Pusher(small.host, account.password())

    small.disk.fill()
    made, error = until_refused(lambda n: stage.ecs.create_cluster(clusterName=f"{base}-{n}"))
    assert error["Code"] == "ServerException" and "could not be written" in error["Message"], error
    assert "no space left" in error["Message"], error
    status, told = health(small)
    assert status == 503 and "no space left" in told, told
    # Reading goes on, and what was refused is not there.
    assert stage.task(task["taskArn"])["lastStatus"] == "RUNNING"
    kept = {arn for arn in everything(stage) if base in arn}
    assert len(kept) == made
    # The registry says so too, and takes nothing half.
    status, _, told = pusher.call("POST", f"/v2/{repository}/blobs/uploads/")
    if status == 202:
        with pytest.raises(AssertionError, match="507.*store is full"):
            pusher.push(image.busybox(extra=[("big", os.urandom(1 << 20), 0o644)]), repository, "latest")
    else:
        assert status == 507 and b"store is full" in told, (status, told)
    refused(lambda: push_by_parts(account, repository), "ServerException", "store is full")
    assert account.ecr.describe_images(repositoryName=repository)["imageDetails"] == []

    small.disk.empty()
    wait_until(lambda: health(small)[0] == 200, "the server to be well again")
    stage.ecs.create_cluster(clusterName=f"{base}-after")
    account.push(image.busybox(), repository)
    assert stage.finish("exit 7")["containers"][0]["exitCode"] == 7
    # What the container wrote meanwhile waited.
    reached = len(stage.lines(task))
    wait_until(lambda: len(stage.lines(task)) > reached + 5, "more lines")
    numbers = [int(line) for line in stage.lines(task)]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1)), "none is missing"

    small.kill()
    small.start()
    assert {arn for arn in everything(stage) if base in arn} == kept | {arn for arn in everything(stage) if "after" in arn}
    assert stage.task(task["taskArn"])["containers"][0]["runtimeId"] == task["containers"][0]["runtimeId"]


def everything(stage):
    pages = stage.ecs.get_paginator("list_clusters").paginate()
    return [arn for page in pages for arn in page["clusterArns"]]


def test_an_image_that_does_not_fit(small):
    small.start()
    account = Account(small)
    big = image.busybox(extra=[("big", b"x" * (24 << 20), 0o644)])
    stage = Stage(account, account.push(big))
    small.disk.fill(leave=8 << 20)
    task = stage.finish("exit 0")
    assert task["stopCode"] == "TaskFailedToStart", task
    assert "CannotPullContainerError" in task["stoppedReason"], task
    assert "no space left" in task["stoppedReason"].lower(), "as the system words it, or as Docker does"
    small.disk.empty()
    assert stage.finish("exit 3")["containers"][0]["exitCode"] == 3


def test_a_directory_that_cannot_be_written(small):
    """Refused at the start, in one line that names it; the state is as it was when it can be written again."""
    small.start()
    account = Account(small)
    account.ecs.create_cluster(clusterName="kept")
    small.down()
    output = small.output.read_text()
    small.disk.remount("ro")
    done = small.run("up", "--foreground", "--no-sample", check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("longshore: ") and str(small.data_dir) in last, done.stderr
    assert "Read-only file system" in last or "can't be written" in last, last
    small.disk.remount("rw")
    assert small.output.read_text() == output
    small.start()
    found = Account(small).ecs.describe_clusters(clusters=["kept"])["clusters"]
    assert found[0]["status"] == "ACTIVE"


def test_without_a_byte_at_the_start(small):
    """A server that can't even begin says why, and begins when there is room."""
    small.start()
    Account(small).ecs.create_cluster(clusterName="kept")
    small.kill()
    small.disk.fill()
    done = small.run("up", "--foreground", "--no-sample", check=False)
    assert done.returncode == 1 and "o space left" in done.stderr, done.stderr
    small.disk.empty()
    small.start()
    refused(lambda: Account(small).ecs.delete_cluster(cluster="never"), "ClusterNotFoundException")
    assert Account(small).ecs.describe_clusters(clusters=["kept"])["clusters"][0]["status"] == "ACTIVE"
