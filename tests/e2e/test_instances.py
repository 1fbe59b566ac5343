"""Machines of one's own: an agent that joins a cluster, and tasks with launch type EC2 on it."""

import os
import re
import subprocess

import pytest
from support.aws import NETWORK, address, refused
from support.host import fetch
from support.server import Server, bin_dir
from support.waiting import wait_until


@pytest.fixture
def machine(server, account, stage):
    """`longshore agent` as on another machine: its own directory, credentials from the environment."""
    keys = server.run("env", "--agent").stdout
    variables = dict(re.findall(r"export (\w+)=(\S+)", keys))
    place = Server("longshore-agent-")
    with open(place.output, "wb") as output:
        agent = subprocess.Popen(
            [bin_dir() / "longshore", "--data-dir", place.data_dir, "agent", "--endpoint", server.url, "--cluster",
             stage.cluster, "--name", "mine"],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **variables})

    def instance():
        assert agent.poll() is None, place.tail()
        arns = stage.ecs.list_container_instances(cluster=stage.cluster)["containerInstanceArns"]
        found = stage.ecs.describe_container_instances(cluster=stage.cluster, containerInstances=arns) if arns else {}
        return next((i for i in found.get("containerInstances", []) if i["agentConnected"]), None)
    yield wait_until(instance, "the machine to register")
    agent.terminate()
    agent.wait(60)
    place.prefix = place.find_prefix()
    place.down()
    left = place.leftovers()
    assert left == [], left
    place.remove()


@pytest.mark.long
def test_tasks_on_a_machine_of_one_s_own(stage, machine):
    assert machine["status"] == "ACTIVE" and machine["runningTasksCount"] == 0
    resources = {entry["name"]: entry["integerValue"] for entry in machine["remainingResources"] if "integerValue" in entry}
    definition = stage.ecs.register_task_definition(
        family=stage.name, networkMode="awsvpc", containerDefinitions=[
            {**stage.container("echo mine > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"), "memory": 128, "cpu": 64}],
    )["taskDefinition"]
    assert "EC2" in definition["compatibilities"]
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition["taskDefinitionArn"], launchType="EC2",
                                networkConfiguration=NETWORK)
    assert answer["failures"] == []
    task = stage.wait_running(answer["tasks"][0]["taskArn"])
    assert task["launchType"] == "EC2" and task["containerInstanceArn"] == machine["containerInstanceArn"]
    wait_until(lambda: fetch(address(task)) == "mine\n", "an answer")
    now = stage.ecs.describe_container_instances(cluster=stage.cluster,
                                                 containerInstances=[machine["containerInstanceArn"]])
    now = now["containerInstances"][0]
    left = {entry["name"]: entry["integerValue"] for entry in now["remainingResources"] if "integerValue" in entry}
    assert now["runningTasksCount"] == 1
    assert (resources["CPU"] - left["CPU"], resources["MEMORY"] - left["MEMORY"]) == (64, 128)
    refused(lambda: stage.ecs.deregister_container_instance(
        cluster=stage.cluster, containerInstance=machine["containerInstanceArn"]), "InvalidParameterException",
        "Found running tasks on the instance.")
    stage.ecs.stop_task(cluster=stage.cluster, task=task["taskArn"])
    stage.wait(task["taskArn"])
    gone = stage.ecs.deregister_container_instance(cluster=stage.cluster,
                                                   containerInstance=machine["containerInstanceArn"])
    assert gone["containerInstance"]["status"] == "INACTIVE"


def test_what_does_not_fit_says_why(stage, machine):
    definition = stage.ecs.register_task_definition(
        family=stage.name, networkMode="awsvpc",
        containerDefinitions=[{**stage.container("true"), "memory": 1 << 30}])["taskDefinition"]["taskDefinitionArn"]
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="EC2",
                                networkConfiguration=NETWORK)
    failure = answer["failures"][0]
    assert answer["tasks"] == [] and failure["reason"] == "RESOURCE:MEMORY"
    assert failure["arn"] == machine["containerInstanceArn"]


def test_the_pool_is_shown_to_nobody(stage, account):
    listed = [arn for page in account.ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
    assert not any("longshore" in arn.rsplit("/", 1)[1] for arn in listed)
    assert account.ecs.describe_clusters(clusters=["longshore-serverless"])["clusters"] == []
    refused(lambda: account.ecs.list_container_instances(cluster="longshore-serverless"), "ClusterNotFoundException")
    assert account.ecs.list_container_instances()["containerInstanceArns"] == []
    task = stage.wait_running(stage.run_script("exec sleep 600"))
    assert "containerInstanceArn" not in task
