"""Clients and images that mean harm: the server keeps answering others, and says why it refuses."""

import contextlib
import json
import pathlib
import re
import resource
import select
import socket

import pytest
from support import image, raw
from support.waiting import wait_until

HELD = 10_000
# A connection that is held costs its buffers and a task: some ten kilobytes.
MOST_GROWTH_KB = 400 * 1024


def resident_kb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))


@contextlib.contextmanager
def descriptors(wanted):
    """As many file descriptors as that, for this test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, before[0]), max(wanted, before[1])))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connect(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=120)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return connection


def test_ten_thousand_connections_that_say_little_or_nothing(own_stage):
    """A third says nothing, a third half a head, a third half a body that nobody signed."""
    server, account = own_stage.account.server, own_stage.account
    half_head = b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    half_body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + b"a" * 4000
    limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
    open_files = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits)
    assert open_files.group(1) == open_files.group(2), "the server raises its limit to what it may have"
    if int(open_files.group(1)) < HELD + 2048:
        pytest.skip(f"this machine gives a process {open_files.group(2)} descriptors")
    before = resident_kb(server)
    held = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(descriptors(HELD + 1024))
        stack.callback(lambda: [connection.close() for connection in held])
        for number in range(HELD):
            held.append(connect(server))
            if number % 3:
                held[-1].sendall(half_head if number % 3 == 1 else half_body)
        assert raw.call(account, "ListClusters").status == 200
        for _ in range(20):
            assert account.ecs.list_clusters()["clusterArns"]
        assert server.get("/healthz")[0] == 200
        growth = resident_kb(server) - before
        assert growth < MOST_GROWTH_KB, f"{growth} kB more for {HELD} connections"
        # Who asks for a body to be read that is larger than a stranger's may be is told at once.
        answer = raw.send(account, {"Content-Length": str(4 << 20)}, b"", method="POST")
        assert answer.status in (400, 403), answer.body
    # The room comes back.
    wait_until(lambda: len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir())) < HELD // 2,
               "the server to have closed what its clients have closed")
    assert raw.call(account, "ListClusters").status == 200


def test_a_reader_that_does_not_read(account, busybox):
    """An answer larger than the buffers between, asked for and left there, on a hundred connections."""
    server = account.server
    before = resident_kb(server)
    metrics = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    held = []
    try:
        for _ in range(100):
            connection = connect(server)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            held.append(connection)
            # Pipelined until nothing more is taken: the server stops to read who doesn't.
            sent = 0
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while sent < 4 << 20:
                    sent += connection.send(metrics * 200)
        assert raw.call(account, "ListClusters").status == 200
        growth = resident_kb(server) - before
        assert growth < MOST_GROWTH_KB, f"{growth} kB more for 100 readers that don't read"
    finally:
        for connection in held:
            connection.close()


def test_bodies_that_nobody_signed_are_not_read(account):
    """The refusal comes before the body: a stranger can't fill the memory."""
    connection = connect(account.server)
    try:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: " + raw.ECS.encode() +
                           b".ListClusters\r\nContent-Length: 8000000\r\n\r\n")
        ready, _, _ = select.select([connection], [], [], 60)
        assert ready, "nothing was answered before the body was there"
        answer = connection.recv(65536)
    finally:
        connection.close()
    assert b"MissingAuthenticationTokenException" in answer, answer


@pytest.mark.parametrize("body", [
    '{"clusterName":"a","clusterName":' + '"' + "b" * 300 + '"}',
    '{"tags":[{"key":"k","value":1e400}]}',
    '{"settings":' + "[" * 5000,
    r'{"clusterName":"\ud800"}',
])
def test_json_that_is_twisted(account, body):
    answer = raw.call(account, "CreateCluster", body)
    assert answer.status == 400 and answer.code in ("SerializationException", "InvalidParameterException",
                                                    "ClientException"), answer.body


def test_a_form_with_a_million_fields(account):
    answer = raw.send(account, {}, b"a&" * 5000, method="POST")
    assert answer.status in (400, 403)
    answer = raw.send(account, {}, b"a&" * (1 << 20), method="POST")
    assert answer.status in (400, 403)


def stop_reason(stage, name):
    task = stage.wait(stage.run(stage.register(stage.container("true", image=name))))
    assert task["stopCode"] == "TaskFailedToStart", task
    return task["stoppedReason"]


def test_a_layer_that_climbs_says_so(stage):
    """In the reason where ECS's users look; and nothing lies where it pointed."""
    victim = pathlib.Path("/tmp/longshore-climbed")
    climbing = image.layer(files=[("../" * 20 + str(victim)[1:], b"x", 0o644)])
    reason = stop_reason(stage, stage.account.push(image.Image([climbing])))
    assert reason.startswith("CannotPullContainerError: ") and "'..'" in reason, reason
    assert not victim.exists()


def test_what_is_no_archive_and_what_lies_say_so(stage):
    junk = image.Image([b"j" * 2000])
    reason = stop_reason(stage, stage.account.push(junk))
    assert reason.startswith("CannotPullContainerError: ") and "archive" in reason, reason
    lying = image.Image([image.layer(files=[("f", b"x", 0o644)])])
    manifest = json.loads(lying.manifest)
    other = {"architecture": "amd64", "os": "linux", "config": {},
             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}
    manifest["config"] = lying.add(image.CONFIG, json.dumps(other).encode())
    lying.manifest = json.dumps(manifest).encode()
    reason = stop_reason(stage, stage.account.push(lying))
    assert reason.startswith("CannotPullContainerError: ") and "unexpected commit digest" in reason, reason


def test_limits_of_layers_can_be_set_and_are_told(own_server):
    from support.aws import Account, Stage
    own_server.start("--layer-max-size", "1MiB", "--layer-max-entries", "1000")
    account = Account(own_server)
    stage = Stage(account, None)
    big = image.Image([image.layer(files=[("zeros", bytes(4 << 20), 0o644)])])
    reason = stop_reason(stage, account.push(big))
    assert reason.startswith("CannotPullContainerError: ") and "larger than 1048576 bytes" in reason, reason
    many = image.Image([image.layer(folders=[(f"d{n}", 0o755) for n in range(1001)])])
    reason = stop_reason(stage, account.push(many))
    assert "more than 1000 entries" in reason, reason
