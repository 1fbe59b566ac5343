"""A FARGATE task tries to get out, and to harm its neighbour. Each attempt is seen to fail, and, on the host, seen to
be one that can succeed. Frames in others' names are tried in crates/agent/tests/isolation.rs."""

import pathlib

import pytest
from support import image, intruder
from support.aws import address
from support.host import fetch, pid_of
from support.waiting import wait_until

SERVE = "echo mine > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"

# What comes of each attempt of intruder.c. By the filter of system calls: EPERM, ENOSYS, SYS (SIGSYS). By capabilities
# and the cgroup of devices: EPERM, EACCES. By read-only and masked paths: EROFS, ENODATA. By namespaces: ENOENT, ESRCH.
FORBIDDEN = {
    "EPERM": """
        mount tmpfs, mount bind, mount proc, mount sysfs, mount cgroup2, mount overlay, remount /sys, propagate /,
        unmount /proc, fsopen, open_tree, move_mount, mount_setattr, pivot_root, open_by_handle_at,
        device mem, device port, device kmsg, device kvm, device fuse, device tun, device loop-control, device console,
        device disk, kcmp neighbour,
        unshare user, unshare mount, unshare net, unshare cgroup, clone user, clone user and mount, clone net,
        clone mount, setns, sethostname,
        keyctl, add_key, request_key, bpf, perf_event_open, io_uring_setup, userfaultfd, init_module, finit_module,
        delete_module, kexec_load, reboot, swapon, acct, quotactl, clock_settime, settimeofday, fanotify_init,
        move_pages, pidfd_getfd, syslog, adjtimex, iopl, personality,
        SCHED_FIFO, raise nofile, set address, set interface flags, vsock""",
    "EACCES": "oom_score_adj, nice -20",
    "ENOENT": "climb out of chroot, host file, host file below init, neighbour's file, write release_agent",
    "ESRCH": "ptrace neighbour, signal neighbour, pidfd of neighbour, memory of neighbour",
    "ENOSYS": "clone3 user, clone3",
    "SYS": "i386 call, x32 call",
    "EROFS": """
        write core_pattern, write modprobe, write hotplug, write panic, write ip_forward, write drop_caches,
        write sysrq-trigger, write irq, write uevent_helper, write hugepage, write uevent, write cgroup.procs,
        write memory limit""",
    "ENODATA": "read kcore, read keys, read timer_list, read interrupts",
}
EXPECTED = {name.strip(): why for why, names in FORBIDDEN.items() for name in names.split(",")}
# What a kernel without the feature says to everybody.
LACKING = {"ENOENT", "ENOSYS", "ENXIO", "ENODEV"}
# Where the machine of the tests may be confined itself: it is a container's or has no CAP_SYS_RESOURCE.
CONFINED = {"device disk", "raise nofile", "oom_score_adj", "host file below init"}


@pytest.fixture(scope="session")
def armed(account):
    """An image with the program in it, and once more with the setuid bit."""
    program = intruder.program()
    return account.push(image.busybox(extra=[("bin/intruder", program, 0o755), ("suid/intruder", program, 0o4755)]))


@pytest.fixture
def neighbour(stage):
    """A task that must not come to harm: it serves, and holds a secret."""
    task = stage.wait_running(stage.run_script("echo secret > /tmp/secret; " + SERVE))
    wait_until(lambda: fetch(address(task)) == "mine\n", "the neighbour to answer")
    yield task
    # Busybox's server forks for each answer: it still can.
    wait_until(lambda: fetch(address(task)) == "mine\n", "the neighbour still to answer")
    now = stage.task(task["taskArn"])
    assert now["lastStatus"] == "RUNNING" and runtime(now) == runtime(task)


def runtime(task):
    return task["containers"][0]["runtimeId"]


def test_every_way_out_is_shut(stage, armed, neighbour, tmp_path):
    mark = tmp_path / "mark"
    mark.write_text("the host's")
    told = {"HOST_MARK": str(mark), "NEIGHBOUR": str(pid_of(runtime(neighbour))), "NEIGHBOUR_FILE": "/tmp/secret",
            "DISK": intruder.disk(), **intruder.cgroup_files()}
    stage.image = armed
    environment = [{"name": name, "value": value} for name, value in told.items()]
    task = intruder.outcomes(stage.output("intruder", environment=environment))
    host = intruder.on_the_host(**{**told, "NEIGHBOUR_FILE": str(mark)})
    assert set(task) == set(host) and set(task) <= set(EXPECTED)
    wrong = {name: f"{seen}, not {EXPECTED[name]}" for name, seen in task.items()
             if seen != EXPECTED[name] and not (seen == host[name] and seen in LACKING)}
    assert wrong == {}
    unproven = {name: seen for name, seen in host.items()
                if seen == task[name] and seen not in LACKING and name not in CONFINED}
    assert unproven == {}, "these fail without any wall, too"
    proven = [name for name, seen in host.items() if seen != task[name]]
    assert len(proven) > 0.8 * len(EXPECTED), sorted(set(host) - set(proven))


def test_what_a_process_has(stage, armed):
    """Docker's fourteen capabilities as a ceiling (Fargate documents the same), a filter, and Docker's rule for programs
    with the setuid bit: they work."""
    stage.image = armed
    status = "grep -E '^(Cap(Bnd|Eff|Amb)|Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t'"
    docker = "00000000a80425fb"
    nothing = "0" * 16
    assert stage.output(status) == [f"CapEff:{docker}", f"CapBnd:{docker}", f"CapAmb:{nothing}", "NoNewPrivs:0", "Seccomp:2"]
    assert stage.output(f"{status}; intruder who; /suid/intruder who", user="alice") == \
        [f"CapEff:{nothing}", f"CapBnd:{docker}", f"CapAmb:{nothing}", "NoNewPrivs:0", "Seccomp:2", "1234", "0"]


def test_one_that_forks_without_end(stage, armed, neighbour):
    stage.image = armed
    task = stage.wait(stage.run_script("intruder forks", logged=True, memory="2048", cpu="1024"))
    told = intruder.outcomes(stage.lines(task))
    assert told["error"] == "EAGAIN" and 1000 < int(told["forks"]) < 4096


def test_one_that_opens_files_without_end(stage, armed, neighbour):
    stage.image = armed
    told = intruder.outcomes(stage.output("intruder files"))
    assert told["error"] == "EMFILE" and int(told["files"]) < 65536


def test_memory_of_every_kind_is_counted(stage, neighbour):
    """What is in /dev/shm and /dev is memory, each bounded, and both count."""
    fill = "dd if=/dev/zero of={}/filled bs=1M 2> /dev/null"
    assert stage.output(fill.format("/dev/shm") + "; stat -c %s /dev/shm/filled") == [str(64 << 20)]
    both = f"{fill.format('/dev/shm')}; exec {fill.format('/dev')}"
    task = stage.wait(stage.run(stage.register(stage.container(both, memory=100))))
    container = task["containers"][0]
    assert container["exitCode"] == 137 and container["reason"].startswith("OutOfMemoryError")


def test_one_that_logs_without_end(stage, server, neighbour):
    line = "x" * 200
    flood = stage.run_script(f"yes {line} | head -c 300000000; exec sleep 600", logged=True)
    stage.wait_running(flood)
    other = stage.output("i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); sleep 0.1; done")
    assert other == [f"line {i}" for i in range(20)]
    # Twice the 64 MiB that may wait.
    longest = max(path.stat().st_size for path in server.data_dir.rglob("log.spool"))
    assert longest < 130 << 20
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    resident = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS:"))
    assert resident < 512 << 10, "the agent and the service, in KiB"


def test_the_control_plane_and_the_agent_are_out_of_reach(stage, server):
    """What listens on the host's loopback stays there, and the shims' sockets are in nobody else's namespaces."""
    assert server.get("/healthz")[0] == 200
    told = dict(line.split("=", 1) for line in stage.output(f"""
gateway=$(ip route | grep ^default | cut -d' ' -f3)
tried() {{ echo $1=$2; }}
wget -T 5 -qO- http://127.0.0.1:{server.port}/healthz > /dev/null 2>&1; tried loopback $?
wget -T 5 -qO- http://$gateway:{server.port}/healthz > /dev/null 2>&1; tried gateway $?
ls /run/longshore > /dev/null 2>&1; tried sockets $?
tried named $(grep -c -E 'longshore|containerd' /proc/net/unix)
""") if "=" in line)
    assert told["named"] == "0" and "0" not in [told[name] for name in ("loopback", "gateway", "sockets")], told
    sockets = pathlib.Path("/proc/net/unix").read_text()
    assert "longshore" in sockets or "containerd" in sockets, "on the host they are seen"


def test_a_host_name_is_the_tasks_own(stage):
    names = stage.output("hostname; cat /proc/sys/kernel/hostname")
    assert names[0] == names[1] != pathlib.Path("/proc/sys/kernel/hostname").read_text().strip()
