"""A task as the host sees it: its processes, its cgroups, its address."""

import pathlib
import urllib.request


def cgroups_of(runtime):
    """The container's cgroups by v1 controller (or "" for v2), found through its process."""
    pid = pid_of(runtime)
    roots = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if kind in ("cgroup", "cgroup2"):
            for controller in (fields[-1].split(",") if kind == "cgroup" else [""]):
                roots[controller] = pathlib.Path(fields[4])
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in roots and runtime in path:
                found[controller] = roots[controller] / path.lstrip("/")
    assert found, f"process {pid} of {runtime} is in no cgroup of its own"
    return found


def pid_of(runtime):
    """The host's pid of a container's first process: the one in a cgroup that names the container."""
    pids = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if runtime in (entry / "cgroup").read_text():
                    pids.append(int(entry.name))
            except OSError:
                pass
    assert pids, f"no process of container {runtime}"
    return min(pids)


def fetch(ip, port=8080, path="/", timeout=2):
    try:
        with urllib.request.urlopen(f"http://{ip}:{port}{path}", timeout=timeout) as answer:
            return answer.read().decode()
    except OSError:
        return None
