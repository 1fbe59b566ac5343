"""Longshore's registry beside Debian's docker-registry: bytes a second in and out, requests a second, memory.

The same client drives both over plain HTTP on loopback: the kernel copies the layer from a file to the socket and what
comes back is thrown away, so that what is measured is the server's.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import boto3
from longshore_server import free_port

MIB = 1 << 20
CONNECTIONS = 8
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"architecture":"amd64","os":"linux"}'


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layer:
    """A file of `size` bytes that don't compress."""

    def __init__(self, folder, size):
        self.path, self.size = Path(folder) / "layer", size
        block, hasher = os.urandom(4 * MIB), hashlib.sha256()
        with open(self.path, "wb") as file:
            for n in range(size // len(block)):
                piece = n.to_bytes(8, "big") + block[8:]
                file.write(piece)
                hasher.update(piece)
        self.digest = "sha256:" + hasher.hexdigest()


class Client:
    def __init__(self, host, authorization=None):
        self.host = host
        self.headers = {"Authorization": authorization} if authorization else {}

    def call(self, connection, method, path, body=None, status=200, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {**self.headers, **headers})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == status, (method, path, answer.status, content[:300])
        return answer.headers

    @contextlib.contextmanager
    def connection(self):
        connection = http.client.HTTPConnection(self.host, timeout=600)
        yield connection
        connection.close()

    def upload(self, name, connection):
        place = self.call(connection, "POST", f"/v2/{name}/blobs/uploads/", status=202)["Location"]
        return place.removeprefix(f"http://{self.host}")

    def push_small(self, name, content):
        with self.connection() as connection:
            place = self.upload(name, connection)
            place += ("&" if "?" in place else "?") + "digest=" + digest(content)
            self.call(connection, "PUT", place, content, status=201, Content_Type="application/octet-stream")

    def push(self, name, layer):
        """The seconds from the first byte to the acknowledgement."""
        with self.connection() as connection:
            place = self.upload(name, connection)
            place += ("&" if "?" in place else "?") + "digest=" + layer.digest
            begun = time.monotonic()
            connection.putrequest("PUT", place)
            for header in (*self.headers.items(), ("Content-Length", str(layer.size)),
                           ("Content-Type", "application/octet-stream")):
                connection.putheader(*header)
            connection.endheaders()
            with open(layer.path, "rb") as file:
                connection.sock.sendfile(file)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 201, (answer.status, told)
            return time.monotonic() - begun

    def pull(self, name, layer):
        with self.connection() as connection:
            begun = time.monotonic()
            connection.request("GET", f"/v2/{name}/blobs/{layer.digest}", headers=self.headers)
            answer = connection.getresponse()
            buffer, came = bytearray(MIB), 0
            while count := answer.readinto(buffer):
                came += count
            assert (answer.status, came) == (200, layer.size)
            return time.monotonic() - begun

    def manifest(self, name, layer):
        content = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG),
                       "size": len(CONFIG)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.digest,
                        "size": layer.size}]}).encode()
        self.push_small(name, CONFIG)
        with self.connection() as connection:
            self.call(connection, "PUT", f"/v2/{name}/manifests/v1", content, status=201, Content_Type=MANIFEST)

    def requests(self, name, seconds):
        """Manifests pulled a second, over connections that are kept."""
        counts, until = [0] * CONNECTIONS, time.monotonic() + seconds

        def work(n):
            with self.connection() as connection:
                while time.monotonic() < until:
                    self.call(connection, "GET", f"/v2/{name}/manifests/v1", Accept=MANIFEST)
                    counts[n] += 1
        threads = [threading.Thread(target=work, args=(n,)) for n in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds


def peak_rss_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024, 1)


def drive(client, pid, layer, prefix, seconds):
    name = "bench/app"
    pushed = client.push(name, layer)
    client.manifest(name, layer)
    pulled = min(client.pull(name, layer) for _ in range(2))
    figures = {
        "push_mb_per_s": round(layer.size / MIB / pushed, 1),
        "pull_mb_per_s": round(layer.size / MIB / pulled, 1),
        "requests_per_s": round(client.requests(name, seconds)),
        "peak_rss_mb": peak_rss_mb(pid),
    }
    return {f"{prefix}_{key}": value for key, value in figures.items()}


@contextlib.contextmanager
def longshore(folder, data):
    """A server without an agent."""
    port = free_port()
    flags = ["--data-dir", data, "--listen", f"127.0.0.1:{port}"]
    program = str((folder / "longshore").resolve())
    server = subprocess.Popen([program, "server", "--create-on-push", *flags], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        told = json.loads(subprocess.run([program, "env", "--format", "json", *flags], capture_output=True, text=True,
                                         check=True).stdout)
        ecr = boto3.client("ecr", region_name=told["AWS_REGION"], endpoint_url=told["AWS_ENDPOINT_URL"],
                           aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
                           aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"])
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        base64.b64decode(token)
        yield Client(f"127.0.0.1:{port}", f"Basic {token}"), server.pid
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def docker_registry(data):
    port = free_port()
    config = Path(data) / "config.yml"
    config.write_text(json.dumps({
        "version": "0.1", "log": {"level": "error"}, "storage": {"filesystem": {"rootdirectory": f"{data}/registry"}},
        "http": {"addr": f"127.0.0.1:{port}"}}))
    server = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield Client(f"127.0.0.1:{port}"), server.pid
    finally:
        server.kill()
        server.wait()


def wait_for(port):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def measure(folder, peers, size=2048 * MIB, seconds=10):
    home = tempfile.mkdtemp(prefix="longshore-bench-registry-")
    try:
        layer = Layer(home, size)
        figures = {"registry_layer_mb": size // MIB}
        with longshore(folder, f"{home}/longshore") as (client, pid):
            figures.update(drive(client, pid, layer, "registry", seconds))
        shutil.rmtree(f"{home}/longshore")
        if peers and shutil.which("docker-registry"):
            os.makedirs(f"{home}/docker")
            with docker_registry(f"{home}/docker") as (client, pid):
                figures.update(drive(client, pid, layer, "docker_registry", seconds))
        return figures
    finally:
        shutil.rmtree(home, ignore_errors=True)
