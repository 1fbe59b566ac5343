"""A Longshore of the test's own: another data directory, another port, the real binary."""

import hashlib
import http.client
import itertools
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import urllib.request

from .waiting import wait_until

# What `up` says when the endpoint answers and the agent is connected.
READY = "Longshore is up at "
# A containerd runtime's name, where the tests are to run on another shim than Longshore's (conftest, --runtime).
RUNTIME = None
ROOT = pathlib.Path(__file__).resolve().parents[3]


def bin_dir():
    """`make build` fills target/bin; LONGSHORE_BIN names another directory while developing."""
    return pathlib.Path(os.environ.get("LONGSHORE_BIN", ROOT / "target" / "bin")).resolve()


# Each worker of pytest-xdist has ports of its own (they are called gw0, gw1, …). All are below those that the kernel
# gives to clients: whoever calls a server that was just killed could be given the very port that it calls, and would
# keep it from the next server.
PORTS_OF_A_WORKER = 1000
FIRST_PORT = 20_000 + PORTS_OF_A_WORKER * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 12)
PORTS = itertools.cycle(range(FIRST_PORT, FIRST_PORT + PORTS_OF_A_WORKER))


def free_port():
    for port in PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def runtime(arguments):
    return ["--runtime", RUNTIME] if RUNTIME and "--runtime" not in arguments else []


def context(ca):
    return ssl.create_default_context(cafile=ca) if ca else None


def connection(host, ca, timeout):
    if ca:
        return http.client.HTTPSConnection(host, timeout=timeout, context=context(ca))
    return http.client.HTTPConnection(host, timeout=timeout)


class Server:
    def __init__(self, name="longshore-e2e-", ip="127.0.0.1", inside=(), everywhere=False):
        """`ip`: where it is reached, and listens if not `everywhere`. `inside`: what takes a command to where it is to
        run, a namespace for instance."""
        self.ip, self.inside, self.everywhere = ip, list(inside), everywhere
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=name))
        self.data_dir = self.home / "data"
        self.port = free_port()
        self.output = self.home / "server.out"
        self.process = None
        self.prefix = None

    @property
    def host(self):
        return f"{self.ip}:{self.port}"

    @property
    def ca(self):
        """The file with the authority whose word counts that it is this server; none where TLS isn't spoken."""
        return None if self.ip == "127.0.0.1" else str(self.data_dir / "ca.pem")

    @property
    def url(self):
        return f"{'https' if self.ca else 'http'}://{self.host}"

    def connection(self, timeout):
        """An HTTP connection of Python's own."""
        return connection(self.host, self.ca, timeout)

    def flags(self):
        listen = f"0.0.0.0:{self.port}" if self.everywhere else self.host
        return ["--data-dir", str(self.data_dir), "--listen", listen]

    def command(self, *arguments):
        return [*self.inside, str(bin_dir() / "longshore"), *self.flags(), *arguments]

    def run(self, *arguments, check=True, timeout=180, **options):
        """One of the commands for people, to its end."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, **options,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"longshore {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, *arguments):
        """`longshore up` as a child; back when the agent can take tasks."""
        assert self.process is None
        self.told_before = self.output.read_text().count(READY) if self.output.exists() else 0
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.command("up", "--foreground", "--no-sample", *runtime(arguments), *arguments),
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )
        wait_until(self.ready, "the server to answer and its agent to be connected")
        self.prefix = self.find_prefix()
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"longshore up ended with {self.process.returncode}:\n{self.tail()}")
        return self.output.read_text(errors="replace").count(READY) > self.told_before

    def get(self, path, timeout=10):
        with urllib.request.urlopen(self.url + path, timeout=timeout, context=context(self.ca)) as answer:
            return answer.status, answer.read().decode()

    def kill(self):
        """kill -9, as if the machine's owner or the kernel had done it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        self.process = None

    def down(self):
        done = self.run("down")
        if self.process is not None:
            self.process.wait(60)
            self.process = None
        return done

    def environment(self):
        """What `eval "$(longshore env)"` gives a shell, on top of a clean environment."""
        script = 'eval "$(' + " ".join(self.command("env")) + ')" && env -0'
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env=clean, timeout=60)
        pairs = (entry.split("=", 1) for entry in done.stdout.decode().split("\0") if "=" in entry)
        return dict(pairs)

    def tail(self, lines=60):
        texts = []
        for path in (self.output, self.data_dir / "longshore.log"):
            if path.exists():
                texts.append(f"--- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
        return "\n".join(texts)

    # What Longshore leaves on the machine ---------------------------------------------------

    def find_prefix(self):
        """The name that everything of this instance carries; it follows from the agent's directory."""
        links = subprocess.run([*self.inside, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        for path in (self.data_dir, *(path for path in self.data_dir.iterdir() if path.is_dir())):
            digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
            if f"ls{digest[:6]}" in links:
                return f"ls{digest[:6]}"
        raise AssertionError(f"no interface of this instance was found:\n{links}")

    def leftovers(self):
        """Everything on the machine that names this instance. Empty after `down`."""
        found = []
        names = [str(self.data_dir)] + ([self.prefix] if self.prefix else [])
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if any(name in line for name in names):
                found.append(f"mount: {line}")
        if self.prefix:
            for command in (["ip", "-o", "link"], ["nft", "list", "tables"]):
                out = subprocess.run([*self.inside, *command], capture_output=True, text=True, check=True).stdout
                found += [f"{command[0]}: {line}" for line in out.splitlines() if self.prefix in line]
            for parent in ("/run/longshore", "/run/netns", "/var/run/netns", "/run/containerd/runc"):
                if os.path.isdir(parent):
                    found += [f"{parent}/{name}" for name in os.listdir(parent) if self.prefix in name]
            for folder, children, _ in os.walk("/sys/fs/cgroup"):
                found += [f"cgroup: {folder}/{name}" for name in children if self.prefix in name]
                if folder.count("/") > 5:
                    children.clear()
        return found + self.processes(names)

    def processes(self, names=None):
        """Processes of this instance that live, other than the server itself if it is a child of ours."""
        names = names or [str(self.data_dir)] + ([self.prefix] if self.prefix else [])
        found = []
        own = {os.getpid(), self.process.pid if self.process else 0}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in own:
                continue
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "cgroup").read_bytes()
                told += os.readlink(entry / "cwd").encode()
            except OSError:
                continue
            if any(name.encode() in told for name in names):
                found.append(f"process {entry.name}: {told[:200]!r}")
        return found

    def end(self):
        """Down, and nothing may be left."""
        self.down()
        left = self.leftovers()
        assert left == [], "something is left after `longshore down`:\n" + "\n".join(left)
        self.remove()

    def remove(self):
        """After `down`: forget the directory."""
        shutil.rmtree(self.home, ignore_errors=True)
