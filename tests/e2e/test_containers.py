"""What a container finds inside: its settings, its limits, its neighbours, and its walls."""

import pytest
from support import image
from support.host import cgroups_of, fetch
from support.waiting import wait_until


def test_environment_user_and_directory(stage):
    stage.image = stage.account.push(image.busybox(config={
        "Env": ["PATH=/bin", "FROM=image", "BOTH=image"], "WorkingDir": "/home/alice", "User": "alice"}))
    assert stage.output("id -u; id -g; pwd; echo $FROM $BOTH $HOME",
                        environment=[{"name": "BOTH", "value": "definition"}]) \
        == ["1234", "1235", "/home/alice", "image definition /home/alice"]


@pytest.mark.parametrize("user, seen", [("alice", "1234:1235"), ("1000", "1000:0"), ("1000:1000", "1000:1000"),
                                        ("alice:extra", "1234:77"), ("root", "0:0")])
def test_users(stage, user, seen):
    assert stage.output("echo $(id -u):$(id -g)", user=user) == [seen]


def test_a_user_that_the_image_has_not(stage):
    task = stage.finish("true", user="nobody-knows")
    assert task["stopCode"] == "TaskFailedToStart" and "nobody-knows" in task["stoppedReason"]


def test_working_directory(stage):
    assert stage.output("pwd", workingDirectory="/tmp") == ["/tmp"]
    assert stage.output("pwd", workingDirectory="/made/for/it") == ["/made/for/it"]


def test_entry_point_and_command(stage):
    stage.image = stage.account.push(image.busybox(config={"Entrypoint": ["/bin/echo", "entry"], "Cmd": ["command"]}))
    def said(**fields):
        definition = stage.register(stage.container(logged=True, **fields))
        return stage.lines(stage.wait(stage.run(definition)))
    assert said() == ["entry command"]
    assert said(command=["mine"]) == ["entry mine"]
    assert said(entryPoint=["/bin/echo", "own"], command=["mine"]) == ["own mine"]
    assert said(entryPoint=["/bin/echo", "own"]) == ["own"], "an own entry point drops the image's command"


def test_root_file_system(stage):
    assert stage.output("echo x > /file && cat /file") == ["x"]
    lines = stage.output("echo x > /file || echo refused; echo x > /dev/null && echo fine",
                         readonlyRootFilesystem=True)
    assert {"refused", "fine"} < set(lines) and any("Read-only file system" in line for line in lines)


def test_what_one_task_writes_no_other_sees(stage):
    stage.output("echo x > /tmp/mark")
    assert stage.output("ls /tmp | wc -l") == ["0"]


def test_ulimits(stage):
    limits = [{"name": "nofile", "softLimit": 512, "hardLimit": 700}, {"name": "core", "softLimit": 0, "hardLimit": 0}]
    assert stage.output("ulimit -Sn; ulimit -Hn; ulimit -c", ulimits=limits) == ["512", "700", "0"]


def test_limits_of_memory_and_cpu(stage):
    arn = stage.run(stage.register(stage.container("exec sleep 600", memory=300, cpu=128), cpu="512", memory="1024"))
    runtime = stage.wait_running(arn)["containers"][0]["runtimeId"]
    folders = cgroups_of(runtime)
    if "memory" in folders:  # cgroup v1
        assert read(folders["memory"], "memory.limit_in_bytes") == str(300 << 20)
        assert read(folders["memory"] / "..", "memory.limit_in_bytes") == str(1024 << 20)
        quota, period = (int(read(folders["cpu"] / "..", f"cpu.cfs_{what}_us")) for what in ("quota", "period"))
        assert quota * 2 == period, "512 units are half a processor"
    else:
        folder = folders[""]
        assert read(folder, "memory.max") == str(300 << 20)
        assert read(folder / "..", "memory.max") == str(1024 << 20)
        quota, period = read(folder / "..", "cpu.max").split()
        assert int(quota) * 2 == int(period)


def read(folder, name):
    return (folder / name).read_text().strip()


def test_the_walls(stage):
    """The hardened profile: no new privileges to gain, nothing of the host to see."""
    told = dict(line.split("=", 1) for line in stage.output("""
exec 2>/dev/null
tried() { echo $1=$2; }
tried seccomp $(grep Seccomp: /proc/self/status | cut -f2)
tried capabilities $(grep CapEff: /proc/self/status | cut -f2)
mkdir -p /mnt; mount -t tmpfs none /mnt; tried mount $?
unshare -U true; tried unshare $?
mknod /tmp/sda b 8 0 && head -c1 /tmp/sda > /dev/null; tried disk $?
tried kcore $(head -c1 /proc/kcore | wc -c)
(echo b > /proc/sysrq-trigger); tried sysrq $?
(echo 1 > /proc/sys/kernel/panic); tried sysctl $?
hostname other; tried hostname $?
tried firmware $(ls -A /sys/firmware | wc -l)
tried processes $(ls /proc | grep -c '^[0-9]')
""") if "=" in line)
    assert told.pop("seccomp") == "2", "a filter is loaded"
    dangerous = 1 << 21 | 1 << 12 | 1 << 19 | 1 << 16 | 1 << 25  # sys_admin net_admin sys_ptrace sys_module sys_time
    assert int(told.pop("capabilities"), 16) & dangerous == 0
    assert int(told.pop("processes")) < 8, "none but its own"
    assert (told.pop("kcore"), told.pop("firmware")) == ("0", "0")
    assert len(told) == 6 and "0" not in told.values(), f"each must fail: {told}"


def test_answers_at_its_address(stage):
    served = stage.container("echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp",
                             portMappings=[{"containerPort": 8080}])
    arn = stage.run(stage.register(served))
    task = stage.wait_running(arn)
    attachment = task["attachments"][0]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "ATTACHED")
    details = {pair["name"]: pair["value"] for pair in attachment["details"]}
    assert details["subnetId"] == "subnet-e2e"
    assert details["networkInterfaceId"].startswith("eni-") and len(details["macAddress"].split(":")) == 6
    ip = details["privateIPv4Address"]
    assert task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == ip
    wait_until(lambda: fetch(ip) == "hello\n", "an answer to the host")
    # From another task, whose own address is another.
    lines = stage.output(f"wget -qO- http://{ip}:8080/; ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4")
    assert lines[0] == "hello" and not lines[1].startswith(ip + "/")
    stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    assert stage.wait(arn)["attachments"][0]["status"] == "DELETED"
    assert fetch(ip) is None


def test_containers_of_a_task_share_its_network(stage):
    served = stage.container("echo local > /tmp/index.html; exec httpd -f -p 8080 -h /tmp", name="web")
    client = stage.container("until wget -qO- http://127.0.0.1:8080/; do sleep 0.1; done", logged=True,
                             dependsOn=[{"containerName": "web", "condition": "START"}])
    task = stage.wait(stage.run(stage.register(served, client)))
    assert stage.lines(task)[-1] == "local"
    exits = {container["name"]: container.get("exitCode") for container in task["containers"]}
    assert exits["app"] == 0 and exits["web"] in (137, 143), "the rest is stopped when an essential one ends"


def test_depends_on_complete_and_success(stage):
    first = stage.container("sleep 1; echo first; exit 5", name="first", logged=True, essential=False)
    second = stage.container("echo second", name="second", logged=True, essential=False,
                             dependsOn=[{"containerName": "first", "condition": "COMPLETE"}])
    last = stage.container("echo last", logged=True, dependsOn=[{"containerName": "second", "condition": "SUCCESS"}])
    task = stage.wait(stage.run(stage.register(last, second, first)))
    exits = {container["name"]: container.get("exitCode") for container in task["containers"]}
    assert exits == {"first": 5, "second": 0, "app": 0}
    stamps = {}
    for name in exits:
        stream = stage.stream(task, name)
        # What is left of a log is sent after the container's end.
        event = wait_until(lambda: stage.logs.get_log_events(logGroupName=stage.group, logStreamName=stream)["events"],
                           f"the line of {name}")[0]
        stamps[name] = event["timestamp"]
    assert stamps["first"] <= stamps["second"] <= stamps["app"]


def test_depends_on_success_that_fails(stage):
    first = stage.container("exit 5", name="first", essential=False)
    app = stage.container("echo never", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}])
    task = stage.wait(stage.run(stage.register(app, first)))
    containers = {container["name"]: container for container in task["containers"]}
    assert containers["first"]["exitCode"] == 5
    assert "first" in (containers["app"].get("reason", "") + task["stoppedReason"])
    assert "startedAt" not in task or task["stopCode"] != "EssentialContainerExited"


def test_one_that_is_not_essential_may_end(stage):
    side = stage.container("exit 9", name="side", essential=False)
    arn = stage.run(stage.register(stage.container("exec sleep 600"), side))
    def ended():
        containers = {container["name"]: container for container in stage.task(arn)["containers"]}
        return containers["side"].get("exitCode") == 9 and containers
    containers = wait_until(ended, "side to end")
    assert containers["side"]["lastStatus"] == "STOPPED" and containers["app"]["lastStatus"] == "RUNNING"
    assert stage.task(arn)["lastStatus"] == "RUNNING"


def test_system_controls_and_memory_file_systems(stage):
    told = stage.output(
        "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni; df -k /scratch | tail -n 1 | tr -s ' ' | cut -d' ' -f2; "
        "stat -c %a /scratch; grep -o 'CapEff.*' /proc/self/status | cut -f2",
        systemControls=[{"namespace": "net.core.somaxconn", "value": "123"},
                        {"namespace": "kernel.shmmni", "value": "321"}],
        linuxParameters={"tmpfs": [{"containerPath": "/scratch", "size": 8, "mountOptions": ["mode=711"]}],
                         "capabilities": {"add": ["SYS_PTRACE"], "drop": ["CHOWN"]}})
    assert told[:4] == ["123", "321", "8192", "711"]
    assert int(told[4], 16) & (1 << 19 | 1) == 1 << 19, "SYS_PTRACE, and no CHOWN"
    task = stage.finish("true", systemControls=[{"namespace": "kernel.panic", "value": "1"}])
    assert task["stopCode"] == "TaskFailedToStart" and "kernel.panic" in task["stoppedReason"], task


@pytest.mark.parametrize("field, value, word", [
    ("secrets", [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/p"}], "secrets"),
    ("pseudoTerminal", True, "pseudoTerminal"),
    ("linuxParameters", {"initProcessEnabled": True}, "initProcessEnabled"),
    ("logConfiguration", {"logDriver": "splunk", "options": {"splunk-url": "x", "splunk-token": "y"}}, "splunk"),
])
def test_fields_that_are_not_supported_are_refused_by_name(stage, field, value, word):
    """At launch, with a reason, never ignored: ignoring one would change what the container does."""
    fields = {"executionRoleArn": "arn:aws:iam::000000000000:role/r"} if field == "secrets" else {}
    task = stage.wait(stage.run(stage.register(stage.container("true", **{field: value}), **fields)))
    assert task["stopCode"] == "TaskFailedToStart" and word in task["stoppedReason"], task["stoppedReason"]
    assert "startedAt" not in task
