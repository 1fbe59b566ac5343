"""The program that tries to get out (intruder.c), what it is told, and what it found."""

import functools
import os
import pathlib
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).with_name("intruder.c")


@functools.cache
def program():
    """Static, so that an image needs nothing but it."""
    with tempfile.TemporaryDirectory() as folder:
        binary = f"{folder}/intruder"
        subprocess.run(["cc", "-static", "-O1", "-Wall", "-Werror", "-o", binary, SOURCE], check=True)
        return pathlib.Path(binary).read_bytes()


def outcomes(lines):
    """Attempt by attempt."""
    return dict(line.split("=", 1) for line in lines if "=" in line)


def disk():
    """The device of the host's root file system, as `major:minor`."""
    device = os.stat("/").st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def cgroup_files(root="/sys/fs/cgroup"):
    """What frees a container of its limits, by the names of intruder.c."""
    if pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists():
        return {"RELEASE_AGENT": f"{root}/memory/release_agent", "CGROUP_PROCS": f"{root}/memory/cgroup.procs",
                "MEMORY_LIMIT": f"{root}/memory/memory.limit_in_bytes"}
    return {"CGROUP_PROCS": f"{root}/cgroup.procs", "MEMORY_LIMIT": f"{root}/memory.max"}


def on_the_host(**told):
    """The same attempts where nothing forbids them, in namespaces that take the harm out of them."""
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / "intruder"
        binary.write_bytes(program())
        binary.chmod(0o755)
        done = subprocess.run(["unshare", "--mount", "--uts", "--ipc", "--net", str(binary)],
                              env={**os.environ, **told}, capture_output=True, text=True, check=True, timeout=120)
        return outcomes(done.stdout.splitlines())
