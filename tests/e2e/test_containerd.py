"""Longshore's shim under Debian's containerd, which nobody here wrote: `ctr run --runtime io.containerd.longshore.v1`."""

import os
import pathlib
import subprocess
import tarfile
import tempfile

import pytest
from support import image
from support.aws import unique
from support.server import bin_dir
from support.waiting import wait_until

RUNTIME = "io.containerd.longshore.v1"
NAME = "longshore.test/busybox:latest"


class Containerd:
    """A private one: its own root, state and sockets; the shim is found on its PATH."""

    def __init__(self, home):
        self.home = home
        self.socket = home / "c.sock"
        self.namespace = unique("longshore")
        self.process = None
        (home / "config.toml").write_text(f"""
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{self.socket}"
[ttrpc]
address = "{home}/t.sock"
""")

    def start(self):
        environment = {**os.environ, "PATH": f"{bin_dir()}:{os.environ['PATH']}"}
        with open(self.home / "containerd.log", "ab") as log:
            self.process = subprocess.Popen(["containerd", "--config", self.home / "config.toml"],
                                            stdout=log, stderr=log, env=environment)
        wait_until(lambda: self.ctr("version", check=False).returncode == 0, "containerd to answer")

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def ctr(self, *arguments, check=True):
        done = subprocess.run(["ctr", "--address", self.socket, "--namespace", self.namespace, *arguments],
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"ctr {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}\n"
                                 + (self.home / "containerd.log").read_text()[-3000:])
        return done

    def run(self, name, *command, flags=(), check=True):
        return self.ctr("run", "--runtime", RUNTIME, *flags, NAME, name, *command, check=check)

    def status(self, name):
        """As `ctr tasks ls` tells it; None once it is removed."""
        rows = [line.split() for line in self.ctr("tasks", "ls").stdout.splitlines()[1:]]
        return next((row[2] for row in rows if row[0] == name), None)

    def shims(self):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and b"containerd-shim-longshore" in (entry / "cmdline").read_bytes() \
                        and self.namespace.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found


@pytest.fixture(scope="module")
def containerd():
    with tempfile.TemporaryDirectory(prefix="ls-ctr-") as home:
        home = pathlib.Path(home)
        containerd = Containerd(home)
        containerd.start()
        image.write_layout(home / "layout", [image.busybox()], "latest")
        with tarfile.open(home / "image.tar", "w") as tar:
            tar.add(home / "layout", ".")
        containerd.ctr("images", "import", "--base-name", NAME.rsplit(":", 1)[0], str(home / "image.tar"))
        yield containerd
        containerd.process.terminate()
        containerd.process.wait(60)
        left = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line]
        assert left == [] and containerd.shims() == []


@pytest.mark.parametrize("code", [0, 7])
def test_output_and_exit_status(containerd, code):
    done = containerd.run(f"ends-{code}", "sh", "-c", f"echo to stdout; echo to stderr >&2; exit {code}",
                          flags=["--rm"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "to stdout\n", "to stderr\n")
    assert containerd.status(f"ends-{code}") is None


def test_a_command_that_is_not_there(containerd):
    done = containerd.run("nosuch", "nosuch", flags=["--rm"], check=False)
    assert done.returncode != 0 and 'exec: "nosuch": executable file not found in $PATH' in done.stderr


def test_a_life_with_exec_kill_and_rm(containerd):
    log = containerd.home / "life.log"
    containerd.run("life", "sh", "-c", "trap 'echo bye; exit 9' TERM; echo started; while true; do sleep 0.1; done",
                   flags=["-d", "--seccomp", "--memory-limit", str(64 << 20), "--log-uri", f"file://{log}"])
    assert containerd.status("life") == "RUNNING"
    wait_until(lambda: log.exists() and "started" in log.read_text(), "its first line")

    def run(name, *command, check=True):
        return containerd.ctr("tasks", "exec", "--exec-id", name, "life", *command, check=check)
    assert run("e1", "sh", "-c", "echo inside; exit 5", check=False).returncode == 5
    told = run("e2", "grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/self/status").stdout.split()
    assert told == ["NoNewPrivs:", "1", "Seccomp:", "2"], "one that joins is filtered too"
    assert run("e3", "cat", "/proc/1/comm").stdout == "sh\n"
    assert "memory.usage" in containerd.ctr("tasks", "metrics", "life").stdout
    assert len(containerd.ctr("tasks", "ps", "life").stdout.splitlines()) >= 2
    assert containerd.ctr("tasks", "rm", "life", check=False).returncode != 0, "it runs"

    containerd.ctr("tasks", "kill", "life")
    wait_until(lambda: containerd.status("life") == "STOPPED", "it to end")
    assert "exit code 9" in containerd.ctr("tasks", "rm", "life").stderr
    assert log.read_text() == "started\nbye\n"
    containerd.ctr("containers", "rm", "life")


def test_containerd_dies_and_the_container_does_not(containerd):
    containerd.run("kept", "sleep", "600", flags=["-d"])
    containerd.kill()
    containerd.start()
    assert containerd.status("kept") == "RUNNING"
    assert containerd.ctr("tasks", "exec", "--exec-id", "e", "kept", "echo", "here").stdout == "here\n"
    containerd.ctr("tasks", "kill", "--signal", "SIGKILL", "kept")
    wait_until(lambda: containerd.status("kept") == "STOPPED", "it to end")
    assert "exit code 137" in containerd.ctr("tasks", "rm", "kept").stderr
    containerd.ctr("containers", "rm", "kept")


def test_pause_and_resume(containerd):
    containerd.run("still", "sleep", "600", flags=["-d"])
    containerd.ctr("tasks", "pause", "still")
    assert containerd.status("still") == "PAUSED"
    containerd.ctr("tasks", "resume", "still")
    assert containerd.status("still") == "RUNNING"
    containerd.ctr("tasks", "rm", "--force", "still", check=False)
    assert containerd.status("still") is None
    containerd.ctr("containers", "rm", "still")
