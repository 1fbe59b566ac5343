"""GPUs by the Container Device Interface. No machine of the tests has any: the specifications here describe device nodes
of a number that no driver has, so that whoever may open one is told "No such device or address" (ENXIO), and whoever may
not "Operation not permitted" (EPERM)."""

import json
import os
import stat
import tempfile

import pytest
from support import server as servers
from support.machine import Machine
from support.waiting import wait_until

# "LOCAL/EXPERIMENTAL USE" (the kernel's devices.txt).
MAJOR = 240
FIRST, SECOND = "longshore.test/gpu=GPU-0a1b2c3d", "other.test/gpu=1"
RUNC = "io.containerd.runc.v2"


class Devices:
    """Two GPUs of two vendors, with what a driver brings, in a directory of their own."""

    def __init__(self, home):
        self.specs, self.home = os.path.join(home, "cdi"), home
        os.mkdir(self.specs)
        for name, number in [("gpu0", (MAJOR, 1)), ("gpu1", (MAJOR, 2)), ("ctl", (1, 5))]:
            os.mknod(os.path.join(home, name), stat.S_IFCHR | 0o666, os.makedev(*number))
        with open(os.path.join(home, "libfake.so.1"), "w") as library:
            library.write("a library\n")

    def node(self, name):
        return {"path": f"/dev/fake{name}", "hostPath": os.path.join(self.home, name)}

    def write(self, hook=None):
        # As NVIDIA's tool does: a link to a library that is mounted.
        link = 'root=$(sed \'s/.*"bundle":"\\([^"]*\\)".*/\\1/\')/rootfs; ln -s libfake.so.1 "$root/usr/lib/libfake.so"'
        gpu = {"deviceNodes": [self.node("gpu0")]}
        first = {
            "cdiVersion": "0.6.0", "kind": "longshore.test/gpu",
            "devices": [{"name": name, "containerEdits": gpu} for name in ("0", "GPU-0a1b2c3d")]
            + [{"name": "all", "containerEdits": {"deviceNodes": [self.node("gpu0"), self.node("ctl")]}}],
            "containerEdits": {
                "env": ["FAKE_DRIVER=550"], "deviceNodes": [self.node("ctl")],
                "mounts": [{"hostPath": os.path.join(self.home, "libfake.so.1"),
                            "containerPath": "/usr/lib/libfake.so.1", "options": ["ro", "nosuid", "nodev", "bind"]}],
                "hooks": [{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", hook or link],
                           "env": ["PATH=/usr/bin:/bin"]}],
            },
        }
        with open(os.path.join(self.specs, "first.json"), "w") as file:
            json.dump(first, file)
        with open(os.path.join(self.specs, "second.yaml"), "w") as file:
            file.write(f"""---
# YAML, and a GPU with nothing but its node.
cdiVersion: 0.5.0
kind: other.test/gpu
devices:
- name: "1"
  containerEdits:
    deviceNodes:
    - path: /dev/fakegpu1
      hostPath: {self.home}/gpu1
      fileMode: 0660
""")
        with open(os.path.join(self.specs, "broken.yaml"), "w") as file:
            file.write("kind: [")


@pytest.fixture
def devices():
    # On a file system that lets device nodes be.
    with tempfile.TemporaryDirectory(prefix="ls-gpu-") as home:
        devices = Devices(home)
        devices.write()
        yield devices


def machine_of(server, stage, devices, runtime=None):
    runtime = runtime or servers.RUNTIME
    flags = ["--cdi-spec-dir", devices.specs, *(["--runtime", runtime] if runtime else [])]
    return Machine(server, stage, flags=flags).start()


@pytest.fixture
def machine(server, stage, devices, request):
    machine = machine_of(server, stage, devices, getattr(request, "param", None))
    yield machine
    machine.down()


LOOK = """
cd /dev; echo sees $(ls -d fake*)
for n in 1 2; do
    mknod /tmp/$n c 240 $n
    echo $n $(head -c 1 /tmp/$n 2>&1)
done
for name in fake*; do echo $name $(head -c 3 $name 2>&1 | wc -c); done
echo driver $FAKE_DRIVER $(cat /usr/lib/libfake.so 2>/dev/null)
exec sleep 3600
"""


def define(stage, gpus=1, script=LOOK, name="looks"):
    requires = [{"type": "GPU", "value": str(gpus)}]
    container = {**stage.container(script, logged=True), "memory": 64, "resourceRequirements": requires}
    described = stage.ecs.register_task_definition(
        family=f"{stage.name}-{name}", networkMode="none", requiresCompatibilities=["EC2"],
        containerDefinitions=[container])["taskDefinition"]
    assert described["containerDefinitions"][0]["resourceRequirements"] == requires
    return described["taskDefinitionArn"]


def place(stage, definition, **fields):
    return stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="EC2", **fields)


def gpus_of(task):
    return task["containers"][0].get("gpuIds")


def free(machine, which="remainingResources"):
    return next(r["stringSetValue"] for r in machine.known()[which] if r["name"] == "GPU")


def stop(stage, task):
    stage.ecs.stop_task(cluster=stage.cluster, task=task["taskArn"])
    return stage.wait(task["taskArn"])


def seen(stage, task):
    wait_until(lambda: any(line.startswith("driver") for line in stage.lines(task)), "what the task sees")
    return stage.lines(task)


@pytest.mark.long
@pytest.mark.parametrize("machine", [None, RUNC], indirect=True, ids=["own", "runc"])
def test_each_task_has_gpus_of_its_own(server, stage, machine):
    assert free(machine, "registeredResources") == free(machine) == [FIRST, SECOND]
    wait_until(lambda: "broken.yaml" in machine.place.tail(), "the warning that names the file")
    definition = define(stage)
    answer = place(stage, definition, count=3)
    assert len(answer["tasks"]) == 2
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:GPU"]
    assert "the task asks for 1 and 0 are free at most" in answer["failures"][0]["detail"]
    tasks = {gpus_of(task)[0]: stage.wait_running(task["taskArn"]) for task in answer["tasks"]}
    assert set(tasks) == {FIRST, SECOND} and free(machine) == []
    assert "0 of 2" in server.run("instances", "--cluster", stage.cluster).stdout
    refused, allowed = "Operation not permitted", "No such device or address"
    lines = seen(stage, tasks[FIRST])
    assert lines[0] == "sees fakectl fakegpu0"
    assert lines[1].endswith(allowed) and lines[2].endswith(refused), lines
    assert "fakectl 3" in lines and lines[-1] == "driver 550 a library", lines
    lines = seen(stage, tasks[SECOND])
    assert lines[0] == "sees fakegpu1"
    assert lines[1].endswith(refused) and lines[2].endswith(allowed), lines
    assert lines[-1] == "driver", lines

    # One is free again when its task is STOPPED, and the next task has it.
    stop(stage, tasks[SECOND])
    assert free(machine) == [SECOND]
    two = {"containerOverrides": [{"name": "app", "resourceRequirements": [{"type": "GPU", "value": "2"}]}]}
    answer = place(stage, definition, overrides=two)
    assert "asks for 2 and 1 are free at most" in answer["failures"][0]["detail"]
    again = stage.wait_running(place(stage, definition)["tasks"][0]["taskArn"])
    assert gpus_of(again) == [SECOND]
    stop(stage, again)
    stop(stage, tasks[FIRST])
    both = stage.wait_running(place(stage, definition, overrides=two)["tasks"][0]["taskArn"])
    assert gpus_of(both) == [FIRST, SECOND] and free(machine) == []
    assert both["overrides"]["containerOverrides"][0]["resourceRequirements"] == [{"type": "GPU", "value": "2"}]
    lines = seen(stage, both)
    assert lines[0] == "sees fakectl fakegpu0 fakegpu1" and lines[1].endswith(allowed) and lines[2].endswith(allowed)


@pytest.mark.long
def test_they_are_held_while_agent_and_server_are_away(own_server, own_stage, devices):
    stage = own_stage
    machine = machine_of(own_server, stage, devices)
    try:
        definition = define(stage)
        task = stage.wait_running(place(stage, definition)["tasks"][0]["taskArn"])
        assert gpus_of(task) == [FIRST]
        machine.kill()
        assert free(machine) == [SECOND]
        machine.start()
        assert free(machine) == [SECOND] and stage.task(task["taskArn"])["lastStatus"] == "RUNNING"
        own_server.kill()
        own_server.start()
        wait_until(machine.instance, "the machine to be back")
        assert free(machine) == [SECOND] and gpus_of(stage.task(task["taskArn"])) == [FIRST]
        answer = place(stage, definition, count=2)
        assert [gpus_of(one) for one in answer["tasks"]] == [[SECOND]]
        assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:GPU"]
        stage.wait_running(answer["tasks"][0]["taskArn"])
        assert stage.task(task["taskArn"])["lastStatus"] == "RUNNING"
    finally:
        stage.clear()
        machine.down()


@pytest.mark.long
def test_a_task_whose_gpu_cannot_be_had_says_why(stage, machine, devices):
    definition = define(stage)

    def reason():
        task = stage.wait(place(stage, definition)["tasks"][0]["taskArn"])
        assert task["stopCode"] == "TaskFailedToStart", task
        return task["containers"][0]["reason"]

    devices.write(hook="echo the driver is too old >&2; exit 2")
    said = reason()
    assert "exit status" in said and "the driver is too old" in said, said
    os.rename(os.path.join(devices.home, "gpu0"), os.path.join(devices.home, "taken"))
    assert f"{devices.home}/gpu0 of the GPU {FIRST}: No such file" in reason()
    os.remove(os.path.join(devices.specs, "first.json"))
    said = reason()
    assert f"the GPU {FIRST} is not on this machine any more" in said and "broken.yaml" in said, said
    # The agent that starts next finds the other alone.
    machine.kill()
    machine.start()
    assert free(machine, "registeredResources") == [SECOND]
    assert gpus_of(place(stage, definition)["tasks"][0]) == [SECOND]
