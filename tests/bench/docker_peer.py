"""Docker Engine and Swarm in a private daemon: own data, own socket, own network namespace, ended by pid."""

import io
import json
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

BUSYBOX = Path("/bin/busybox")


def image():
    """The tar of a root with busybox in it, for `docker import`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(BUSYBOX.resolve(), "bin/busybox")
    return buffer.getvalue()


class Daemon:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="longshore-peer-"))
        self.host = f"unix://{self.folder}/docker.sock"

    def __enter__(self):
        self.log = open(self.folder / "log", "w")
        # Its bridge and its rules stay in a network namespace, and go with it.
        self.network = self.folder.name
        subprocess.run(["ip", "netns", "add", self.network], check=True)
        subprocess.run(["ip", "-n", self.network, "link", "set", "lo", "up"], check=True)
        self.process = subprocess.Popen(
            # Not `ip netns exec`: that hides the cgroup mounts.
            ["nsenter", f"--net=/run/netns/{self.network}", "dockerd", "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
             "--pidfile", self.folder / "pid", "-H", self.host],
            stdout=self.log, stderr=self.log,
        )
        deadline = time.monotonic() + 60
        while self.docker("info", check=False).returncode:
            if time.monotonic() > deadline or self.process.poll() is not None:
                text = (self.folder / "log").read_text()[-2000:]
                self.__exit__()
                raise RuntimeError(f"dockerd did not start: {text}")
            time.sleep(0.2)
        self.docker("import", "-", "peer", input=image())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        subprocess.run(["ip", "netns", "del", self.network], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def docker(self, *args, check=True, input=None):
        done = subprocess.run(["docker", "-H", self.host, *args], capture_output=True, input=input)
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(args)}: {done.stderr.decode()}")
        return done

    def processes(self, name):
        """Those below our daemon."""
        table = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            pid, rest = int(text.split(" ", 1)[0]), text.rsplit(")", 1)[1].split()
            table[pid] = (text[text.index("(") + 1 : text.rindex(")")], int(rest[1]))
        # A shim leaves its parent: it is known by the folder in its command line.
        ours = str(self.folder).encode()
        found = []
        for pid, (command, parent) in table.items():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(name[:15]) and (ours in line or parent == self.process.pid):
                found.append(pid)
        return found


def pss_mb(pids):
    """Of each process that lives; one that has ended has no memory."""
    found = []
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found += [int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Pss:")]
    return found


def measure(rounds, service):
    figures = {}
    try:
        with Daemon() as daemon:
            idle = [daemon.process.pid, *daemon.processes("containerd")]
            figures["docker_daemons_idle_pss_mb"] = round(sum(pss_mb(set(idle))), 1)
            times = []
            for _ in range(rounds):
                begun = time.monotonic()
                done = daemon.docker("run", "-d", "peer", "/bin/busybox", "sleep", "3600")
                times.append((time.monotonic() - begun) * 1000)
                daemon.docker("rm", "-f", done.stdout.decode().strip())
            figures["docker_run_ms_p50"] = round(statistics.median(times), 1)
            figures.update(swarm(daemon, service))
    except (RuntimeError, OSError, StopIteration) as error:
        print(f"peer: {error}")
    return figures


def swarm(daemon, count):
    daemon.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        begun = time.monotonic()
        daemon.docker("service", "create", "--detach", "--name", "peer", "--replicas", str(count), "peer",
                      "/bin/busybox", "sleep", "3600")
        deadline = begun + 120
        while time.monotonic() < deadline:
            listed = daemon.docker("service", "ls", "--format", "{{json .Replicas}}").stdout
            if json.loads(listed or b'""').startswith(f"{count}/"):
                took = time.monotonic() - begun
                figures = {"swarm_service_of_40_s": round(took, 2)}
                shims = pss_mb(daemon.processes("containerd-shim"))
                if shims:
                    figures["docker_shim_pss_mb_per_task"] = round(statistics.mean(shims), 2)
                return figures
            time.sleep(0.05)
        return {}
    finally:
        daemon.docker("service", "rm", "peer", check=False)
        daemon.docker("swarm", "leave", "--force", check=False)
