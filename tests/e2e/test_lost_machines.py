"""Machines that are out of reach, and machines that say they are another. Each is a network namespace with a cable that
can be cut."""

import os
import shutil

import pytest
from support import image
from support.aws import Account, Stage
from support.host import pid_of
from support.machine import Machine
from support.outside import Outside
from support.promise import Promise
from support.server import Server
from support.waiting import wait_until

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
# A silent agent is missed after a minute and a half.
MISSED = 240.0


@pytest.fixture(scope="module")
def places():
    both = [Outside(20 + 2 * WORKER), Outside(21 + 2 * WORKER)]
    yield both
    for place in both:
        place.remove()


@pytest.fixture(scope="module")
def server(places):
    server = Server("longshore-lost-", ip=places[0].machine)
    server.start("--lost-after", "1s")
    yield server
    server.end()


@pytest.fixture
def stage(server):
    account = Account(server)
    stage = Stage(account, account.push(image.busybox()))
    yield stage
    stage.clear()


@pytest.fixture
def machines(server, stage, places):
    both = [Machine(server, stage, f"m{n}", place.inside()).start() for n, place in enumerate(places)]
    yield both
    for machine in both:
        machine.down()


def sleeping(stage):
    return stage.ecs.register_task_definition(
        family=stage.name, networkMode="none", requiresCompatibilities=["EC2"],
        containerDefinitions=[{**stage.container("exec sleep 3600"), "memory": 64}])["taskDefinition"]["taskDefinitionArn"]


def on(tasks, machine):
    return [task for task in tasks if task["containerInstanceArn"] == machine.known()["containerInstanceArn"]]


def runs(task):
    try:
        return pid_of(task["containers"][0]["runtimeId"])
    except AssertionError:
        return None


@pytest.mark.long
def test_a_lost_machine_s_tasks_are_replaced_and_stopped_when_it_is_back(stage, machines, places):
    lost, other = machines
    name = "web"
    stage.ecs.create_service(cluster=stage.cluster, serviceName=name, taskDefinition=sleeping(stage), desiredCount=2,
                             launchType="EC2", placementStrategy=[{"type": "spread", "field": "instanceId"}])
    tasks = wait_until(lambda: (r := stage.running(name)) and len(r) == 2 and r, "two tasks")
    [left], [kept] = on(tasks, lost), on(tasks, other)
    places[0].cut()
    wait_until(lost.disconnected, "the machine to be missed", MISSED)
    wait_until(lambda: len(on(stage.running(name), other)) == 2, "a task in its place")
    # What it does now nobody knows; that the task runs on is seen from here alone.
    assert runs(left)
    told = stage.task(left["taskArn"])
    assert (told["lastStatus"], told["desiredStatus"]) == ("STOPPING", "STOPPED")
    assert "has not been connected" in told["stoppedReason"], told
    # Nothing waits for it: a deployment completes without it.
    assert runs(kept)
    stage.ecs.update_service(cluster=stage.cluster, service=name, forceNewDeployment=True)
    stage.wait_stable(name, 2)
    assert not runs(kept) and stage.task(left["taskArn"])["lastStatus"] == "STOPPING"
    places[0].heal()
    wait_until(lost.instance, "the machine to be back")
    stage.wait(left["taskArn"])
    assert not runs(left)
    assert len(on(stage.running(name), other)) == 2


@pytest.mark.long
def test_a_link_is_cut_while_tasks_are_replaced(stage, machines, places):
    """One of the scenarios (`test_scenarios.py`): what is on the other machine goes on, and all of it afterwards."""
    stage.ecs.create_service(
        cluster=stage.cluster, serviceName="web", taskDefinition=sleeping(stage), desiredCount=4, launchType="EC2",
        placementStrategy=[{"type": "spread", "field": "instanceId"}])
    stage.wait_stable("web", 4)
    new = sleeping(stage)
    with Promise(stage, "web", 4, 8):
        places[0].cut()
        stage.ecs.update_service(cluster=stage.cluster, service="web", taskDefinition=new)
        wait_until(lambda: len([task for task in stage.running("web") if task["taskDefinitionArn"] == new]) == 2,
                   "the new tasks of the machine that is in reach")
        places[0].heal()
        stage.wait_stable("web", 4)
    assert {task["taskDefinitionArn"] for task in stage.running("web")} == {new}


@pytest.mark.long
def test_a_copy_of_a_machine_is_refused_and_harms_nobody(server, stage, machines, places):
    original, elsewhere = machines
    answer = stage.ecs.start_task(cluster=stage.cluster, taskDefinition=sleeping(stage),
                                  containerInstances=[original.known()["containerInstanceArn"]])
    task = stage.wait_running(answer["tasks"][0]["taskArn"])
    copy = Machine(server, stage, "copy", places[1].inside())
    # What it knows, without the containers' own files: those name processes, which another machine wouldn't have.
    for known in ("instance.json", "tasks/*/task.json", "tasks/*/record.json"):
        for path in original.place.data_dir.glob(f"agent/{known}"):
            to = copy.place.data_dir / path.relative_to(original.place.data_dir)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
    copy.begin()
    try:
        told = wait_until(lambda: (text := copy.place.output.read_text()) and "not registered yet" in text and text,
                          "the copy to be refused")
        for word in (places[0].address, places[1].address, original.known()["containerInstanceArn"], "is a copy"):
            assert word in told, told
        assert original.instance() and runs(task) and copy.known() is None
        assert stage.task(task["taskArn"])["lastStatus"] == "RUNNING"
        # As the refusal says.
        copy.end()
        copy.place.prefix = copy.place.find_prefix()
        copy.place.run("down")
        shutil.rmtree(copy.place.data_dir / "agent")
        copy.start()
        assert copy.known()["containerInstanceArn"] != original.known()["containerInstanceArn"]
        now = stage.task(task["taskArn"])
        assert now["lastStatus"] == "RUNNING" and runs(task), now["containers"]
    finally:
        copy.down()
