"""DAEMON services: a task on each machine of one's own."""

import os
import re
import subprocess

import pytest
from support.aws import NETWORK, refused
from support.server import Server, bin_dir
from support.waiting import wait_until

IDLE = "trap 'exit 0' TERM; sleep 600 & wait"


class Machines:
    """Agents that join the stage's cluster, one by one."""

    def __init__(self, server, stage):
        self.stage, self.url = stage, server.url
        self.variables = dict(re.findall(r"export (\w+)=(\S+)", server.run("env", "--agent").stdout))
        self.places, self.agents = [], []

    def join(self):
        """One more; its container instance's ARN."""
        before = self.connected()
        place, name = Server("longshore-agent-"), f"m{len(self.places)}"
        with open(place.output, "wb") as output:
            self.agents.append(subprocess.Popen(
                [bin_dir() / "longshore", "--data-dir", place.data_dir, "agent", "--endpoint", self.url, "--cluster",
                 self.stage.cluster, "--name", name],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], **self.variables}))
        self.places.append(place)
        wait_until(lambda: len(self.connected()) > len(before), f"{name} to register")
        new, = self.connected() - before
        return new

    def connected(self):
        return set(self.stage.ecs.list_container_instances(
            cluster=self.stage.cluster, filter="agentConnected == true")["containerInstanceArns"])

    def end(self):
        for agent in self.agents:
            agent.terminate()
        for agent, place in zip(self.agents, self.places):
            agent.wait(60)
            place.prefix = place.find_prefix()
            place.down()
            left = place.leftovers()
            assert left == [], left
            place.remove()


@pytest.fixture
def machines(server, stage):
    machines = Machines(server, stage)
    yield machines
    machines.end()


def define(stage, script=IDLE):
    return stage.ecs.register_task_definition(
        family=stage.name, networkMode="awsvpc", containerDefinitions=[{**stage.container(script), "memory": 32}],
    )["taskDefinition"]["taskDefinitionArn"]


def create(stage, definition, **fields):
    stage.ecs.create_service(cluster=stage.cluster, serviceName="watch", taskDefinition=definition, launchType="EC2",
                             schedulingStrategy="DAEMON", networkConfiguration=NETWORK, **fields)


def where(stage, definition=None):
    return sorted(task["containerInstanceArn"] for task in stage.running("watch")
                  if definition in (None, task["taskDefinitionArn"]))


@pytest.mark.long
def test_each_machine_has_one(server, stage, machines):
    one = machines.join()
    first = define(stage)
    create(stage, first)
    stage.wait_stable("watch", 1)
    other = machines.join()
    stage.wait_stable("watch", 2)
    assert where(stage) == sorted([one, other])
    ecs, cluster = stage.ecs, stage.cluster
    assert ecs.list_services(cluster=cluster, schedulingStrategy="DAEMON")["serviceArns"]
    refused(lambda: ecs.update_service(cluster=cluster, service="watch", desiredCount=1), "InvalidParameterException",
            "The daemon scheduling strategy does not support a desired count")

    second = define(stage)
    planned = server.run("plan", "--cluster", cluster, "--service", "watch", "--task-definition", second).stdout
    assert "2 started, 2 stopped" in planned, planned
    ecs.update_service(cluster=cluster, service="watch", taskDefinition=second,
                       deploymentConfiguration={"minimumHealthyPercent": 50})
    wait_until(lambda: where(stage, second) == sorted([one, other]), "both to run the new definition")
    stage.wait_stable("watch", 2)
    newest = ecs.list_service_deployments(cluster=cluster, service="watch")["serviceDeployments"][0]
    assert newest["status"] == "SUCCESSFUL"

    ecs.put_attributes(cluster=cluster, attributes=[{"name": "rack", "value": "r1", "targetId": one}])
    ecs.update_service(cluster=cluster, service="watch", placementConstraints=[
        {"type": "memberOf", "expression": "attribute:rack == r1"}])
    stage.wait_stable("watch", 1)
    assert where(stage) == [one], "it left the machine that doesn't meet the constraint"

    assert "stops its tasks" in server.run("stop", "--cluster", cluster, "watch").stdout
    stage.wait_stable("watch", 0)
    assert "starts a task on each instance" in server.run("start", "--cluster", cluster, "watch").stdout
    stage.wait_stable("watch", 1)
    assert where(stage) == [one]


@pytest.mark.long
def test_it_comes_first_and_leaves_last(server, stage, machines):
    one = machines.join()
    create(stage, define(stage))
    stage.wait_stable("watch", 1)
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=define(stage), launchType="EC2",
                                networkConfiguration=NETWORK)
    alone = stage.wait_running(answer["tasks"][0]["taskArn"])
    server.run("drain", one, "--cluster", stage.cluster)
    wait_until(lambda: stage.service("watch")["desiredCount"] == 0, "the machine to be none of the service's")
    assert where(stage) == [one], "it stays while something else runs"
    daemon, = stage.running("watch")
    stage.ecs.stop_task(cluster=stage.cluster, task=alone["taskArn"])
    stage.wait(daemon["taskArn"])
    gone = stage.ecs.deregister_container_instance(cluster=stage.cluster, containerInstance=one)
    assert gone["containerInstance"]["status"] == "INACTIVE"
    stage.wait_stable("watch", 0)


@pytest.mark.long
def test_a_definition_that_does_not_hold_is_rolled_back(stage, machines):
    machines.join()
    good = define(stage)
    create(stage, good, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    stage.wait_stable("watch", 1)
    stage.ecs.update_service(cluster=stage.cluster, service="watch", taskDefinition=define(stage, "exit 1"))

    def newest():
        listed = stage.ecs.list_service_deployments(cluster=stage.cluster, service="watch")
        return listed["serviceDeployments"][0]["status"]
    wait_until(lambda: newest() == "ROLLBACK_SUCCESSFUL", "the rollback", 120)
    assert len(where(stage, good)) == 1
