"""An S3 server over a directory (tests/s3), for a registry whose blobs are in a bucket."""

import os
import pathlib
import signal
import socket
import subprocess

from .server import bin_dir, free_port
from .waiting import wait_until

KEY, SECRET = "AKIABUCKETBUCKETBUCK", "the secret of the bucket's owner"


class Bucket:
    """`s3://images/team`"""

    def __init__(self, home):
        self.root = pathlib.Path(home) / "s3"
        self.folder = self.root / "images"
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = None

    def start(self):
        command = [str(bin_dir() / "s3"), "--listen", f"127.0.0.1:{self.port}", "--access-key", KEY,
                   "--secret-key", SECRET, str(self.root)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/")
        wait_until(self.answers, "the S3 server to answer")
        return self

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def hold(self):
        """It takes connections, and does nothing more."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def flags(self, prefix="team", secret=SECRET):
        """For `longshore up` and `longshore registry verify`."""
        return ["--blobs", f"s3://images/{prefix}", "--blobs-endpoint", f"http://127.0.0.1:{self.port}",
                "--blobs-access-key-id", KEY, "--blobs-secret-access-key", secret]

    def file(self, digest, prefix="team"):
        return self.folder / prefix / digest.replace(":", "/")

    def blobs(self, prefix="team"):
        """The digests that are there."""
        top = self.folder / prefix
        return {f"{file.parent.name}:{file.name}" for name in ("sha256", "sha512") for file in (top / name).glob("*")}

    def unfinished(self):
        """Parts of objects that aren't whole: the server keeps them beside its buckets."""
        return [entry for entry in self.root.glob(".upload*")]
