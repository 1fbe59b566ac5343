"""An agent gone wrong: what it sends is bounded, and harms no other instance."""

import json
import pathlib
import re
import uuid

import pytest
from support.agentsocket import AgentSocket
from support.machine import Machine
from support.waiting import wait_until

GARBAGE = ["", "{", "[]", "null", '{"type": 7}', '{"type":"PublishMetricsRequest","message":[]}', "\x00" * 64,
           '{"type":"PublishHealthRequest","message":{"tasks":[{"taskArn":1}]}}', "x\r\n\r\n{", "{}" * 2000]


@pytest.fixture
def machine(server, stage):
    machine = Machine(server, stage).start()
    yield machine
    machine.down()


@pytest.fixture
def other(stage):
    """A container instance whose agent is this test."""
    answer = stage.ecs.register_container_instance(cluster=stage.cluster, totalResources=[
        {"name": "CPU", "type": "INTEGER", "integerValue": 1024}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 512}])
    return answer["containerInstance"]["containerInstanceArn"]


def memory_kib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


@pytest.mark.long
def test_a_flood_that_cannot_be_read_harms_nobody(server, account, stage, machine, other):
    task = stage.ecs.run_task(cluster=stage.cluster, launchType="EC2", taskDefinition=stage.ecs.register_task_definition(
        family=stage.name, networkMode="none", containerDefinitions=[
            {**stage.container("exec sleep 3600"), "memory": 64}])["taskDefinition"]["taskDefinitionArn"])["tasks"][0]
    assert task["containerInstanceArn"] == machine.known()["containerInstanceArn"]
    stage.wait_running(task["taskArn"])
    before = memory_kib(server)
    for kind in ("acs", "tcs"):
        mad = AgentSocket(account, kind, stage.cluster, other)
        assert mad.status == 101
        for _ in range(300):
            for frame in GARBAGE:
                mad.send(frame)
            if kind == "tcs":
                # Each is answered, so that who doesn't read the answers is held up, and nobody else.
                for _ in GARBAGE:
                    while "BadRequestException" not in mad.receive():
                        pass
        stage.ecs.list_tasks(cluster=stage.cluster)
        try:
            mad.send("{" + " " * (8 << 20))
        except OSError:
            pass
        while mad.receive() is not None:
            pass
        mad.close()
    # Five thousand frames and two giants later.
    assert memory_kib(server) - before < 64 << 10
    assert machine.instance() and stage.task(task["taskArn"])["lastStatus"] == "RUNNING"
    again = AgentSocket(account, "acs", stage.cluster, other)
    assert again.status == 101 and "TaskManifestMessage" in again.receive()
    again.close()


def test_an_agent_tells_of_its_own_tasks_alone(account, stage, other):
    checked = {**stage.container("exec sleep 3600"), "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5}}
    task = stage.wait_running(stage.run(stage.register(checked)))
    wait_until(lambda: stage.task(task["taskArn"])["healthStatus"] == "HEALTHY", "the task to be healthy")
    liar = AgentSocket(account, "tcs", stage.cluster, other)
    told = {"metadata": {"cluster": stage.cluster, "containerInstance": other, "messageId": str(uuid.uuid4()), "fin": True},
            "timestamp": 1, "tasks": [{"taskArn": task["taskArn"], "taskDefinitionFamily": stage.name,
                                       "taskDefinitionVersion": "1", "containers": [
                                           {"containerName": "app", "healthStatus": "UNHEALTHY", "statusSince": 1}]}]}
    liar.send(json.dumps({"type": "PublishHealthRequest", "message": told}))
    while "AckPublishHealth" not in liar.receive():
        pass
    assert stage.task(task["taskArn"])["healthStatus"] == "HEALTHY"
    liar.close()
