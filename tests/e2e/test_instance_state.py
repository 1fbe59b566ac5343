"""What users say of machines: attributes, the filter that asks for them, draining."""

import os
import re
import subprocess

import pytest
from support.aws import NETWORK, refused
from support.server import Server, bin_dir
from support.waiting import wait_until


@pytest.fixture
def machines(server, stage):
    """Two agents of the stage's cluster; their container instances' ARNs."""
    keys = server.run("env", "--agent").stdout
    variables = dict(re.findall(r"export (\w+)=(\S+)", keys))
    places = [Server("longshore-agent-") for _ in range(2)]
    agents = []
    for number, place in enumerate(places):
        with open(place.output, "wb") as output:
            agents.append(subprocess.Popen(
                [bin_dir() / "longshore", "--data-dir", place.data_dir, "agent", "--endpoint", server.url, "--cluster",
                 stage.cluster, "--name", f"m{number}"],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **variables}))

    def connected():
        assert all(agent.poll() is None for agent in agents), [place.tail() for place in places]
        arns = listed(stage, "agentConnected == true")
        return arns if len(arns) == len(places) else None
    yield wait_until(connected, "both machines to register")
    for agent in agents:
        agent.terminate()
    for agent, place in zip(agents, places):
        agent.wait(60)
        place.prefix = place.find_prefix()
        place.down()
        left = place.leftovers()
        assert left == [], left
        place.remove()


def listed(stage, query):
    return stage.ecs.list_container_instances(cluster=stage.cluster, filter=query)["containerInstanceArns"]


def idle(stage):
    container = {**stage.container("trap 'exit 0' TERM; sleep 600 & wait"), "memory": 32}
    return stage.ecs.register_task_definition(family=stage.name, networkMode="awsvpc", containerDefinitions=[
        container])["taskDefinition"]["taskDefinitionArn"]


@pytest.mark.long
def test_a_machine_is_chosen_marked_and_drained(server, stage, machines):
    one, other = machines
    stage.ecs.put_attributes(cluster=stage.cluster, attributes=[{"name": "rack", "value": "r1", "targetId": one}])
    assert listed(stage, "attribute:rack == r1") == [one] and listed(stage, "attribute:rack !exists") == [other]

    definition = idle(stage)
    answer = stage.ecs.start_task(cluster=stage.cluster, taskDefinition=definition, containerInstances=[one, other],
                                  startedBy="by-hand", networkConfiguration=NETWORK)
    assert answer["failures"] == []
    alone = [task["taskArn"] for task in answer["tasks"]]
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [one, other]
    for arn in alone:
        stage.wait_running(arn)
    wait_until(lambda: set(listed(stage, "runningTasksCount == 1")) == {one, other}, "a task on each")
    assert set(listed(stage, f"task:group == family:{stage.name}")) == {one, other}

    stage.ecs.create_service(cluster=stage.cluster, serviceName="moved", taskDefinition=definition, desiredCount=2,
                             launchType="EC2", networkConfiguration=NETWORK)
    stage.wait_stable("moved", 2)
    wait_until(lambda: {task["containerInstanceArn"] for task in stage.running("moved")} == {one, other},
               "the service's tasks to be spread")
    shown = server.run("instances", "--cluster", stage.cluster, "--filter", "attribute:rack == r1").stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["INSTANCE", one.split("/")[-1][:12]]
    assert "connected" in shown and "rack=r1" in shown
    tried = server.run("query", "attribute:rack == r1 and runningTasksCount < 9", "--cluster", stage.cluster).stdout
    assert "1 of 2 container instances" in tried and one.split("/")[-1][:12] in tried
    assert "1   attribute:rack == 'r1'" in tried and "2   runningTasksCount < '9'" in tried
    mistaken = server.run("query", "attribute:rack = r1", "--cluster", stage.cluster, check=False)
    assert mistaken.returncode == 1
    assert mistaken.stderr.splitlines()[1].index("^") == 15, "below what can't be read"
    server.run("drain", one.split("/")[-1][:8], "--cluster", stage.cluster)
    described = stage.ecs.describe_container_instances(cluster=stage.cluster, containerInstances=[one])
    assert described["containerInstances"][0]["status"] == "DRAINING"
    wait_until(lambda: [task["containerInstanceArn"] for task in stage.running("moved")] == [other, other],
               "the service to move")
    stage.wait_stable("moved", 2)
    assert stage.task(alone[0])["lastStatus"] == "RUNNING", "a task of no service stays"
    refusal = stage.ecs.start_task(cluster=stage.cluster, taskDefinition=definition, containerInstances=[one],
                                   networkConfiguration=NETWORK)
    assert refusal["failures"][0]["reason"] == "INACTIVE"
    refused(lambda: listed(stage, "attribute:rack = r1"), "InvalidParameterException", "character 16")
    server.run("drain", one, "--undo")
    assert set(listed(stage, "agentConnected == true")) == {one, other}
    wait_until(lambda: one.split("/")[-1][:12] + "  ACTIVE" in server.run("instances", "--cluster", stage.cluster).stdout,
               "the machine to take tasks again")


@pytest.mark.long
def test_tasks_are_placed_by_rule(stage, machines):
    one, other = machines
    stage.ecs.put_attributes(cluster=stage.cluster, attributes=[
        {"name": "rack", "value": rack, "targetId": machine} for rack, machine in zip(["r1", "r2"], machines)])
    definition = idle(stage)

    def run(count, **rules):
        answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="EC2", count=count,
                                    networkConfiguration=NETWORK, **rules)
        return ([task["containerInstanceArn"] for task in answer["tasks"]],
                [failure["reason"] for failure in answer["failures"]])

    in_rack_2 = [{"type": "memberOf", "expression": "attribute:rack == r2"}]
    assert run(3, placementConstraints=in_rack_2) == ([other] * 3, [])
    # The group has three there, so that the next three go to the other one.
    assert run(3, placementStrategy=[{"type": "spread", "field": "attribute:rack"}]) == ([one] * 3, [])
    packed, failures = run(3, placementStrategy=[{"type": "binpack", "field": "memory"}])
    assert len(set(packed)) == 1 and failures == []
    assert run(2, group="apart", placementConstraints=[{"type": "distinctInstance"}, *in_rack_2]) == (
        [other], ["DistinctInstance placement constraint unsatisfied."])

    stage.ecs.create_service(cluster=stage.cluster, serviceName="apart", taskDefinition=definition, desiredCount=3,
                             launchType="EC2", networkConfiguration=NETWORK,
                             placementConstraints=[{"type": "distinctInstance"}],
                             placementStrategy=[{"type": "spread", "field": "instanceId"}])
    wait_until(lambda: {task["containerInstanceArn"] for task in stage.running("apart")} == {one, other},
               "one task on each machine")
    wait_until(lambda: any("DistinctInstance placement constraint unsatisfied." in event["message"]
                           for event in stage.service("apart")["events"]), "the event that says why there is no third")
    assert len(stage.tasks_of("apart")) == 2
    stage.ecs.update_service(cluster=stage.cluster, service="apart", placementConstraints=[])
    stage.wait_stable("apart", 3)


def test_protection_is_honoured(stage):
    definition = stage.register(stage.container("trap 'exit 0' TERM; sleep 600 & wait"))
    name = stage.create_service(definition, 2)
    kept, other = (task["taskArn"] for task in stage.wait_stable(name, 2))
    protected = stage.ecs.update_task_protection(cluster=stage.cluster, tasks=[kept], protectionEnabled=True)
    assert protected["protectedTasks"][0]["protectionEnabled"] and protected["failures"] == []
    # A deployment replaces the other, and waits for this one.
    stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=1, forceNewDeployment=True)
    stage.wait(other)
    wait_until(lambda: any("protected tasks" in event["message"] for event in stage.service(name)["events"]),
               "the event that tells of it")
    assert stage.task(kept)["desiredStatus"] == "RUNNING" and len(stage.service(name)["deployments"]) == 2
    blocked = stage.ecs.update_task_protection(
        cluster=stage.cluster, tasks=[stage.run(definition), *(
            task["taskArn"] for task in stage.tasks_of(name) if task["taskArn"] != kept)], protectionEnabled=True)
    assert [failure["reason"] for failure in blocked["failures"]] == ["TASK_NOT_VALID", "DEPLOYMENT_BLOCKED"]
    stage.ecs.update_task_protection(cluster=stage.cluster, tasks=[kept], protectionEnabled=False)
    stage.wait(kept)
    stage.wait_stable(name, 1)


def test_account_settings(account):
    ecs = account.client("ecs", region="eu-west-3")
    pages = ecs.get_paginator("list_account_settings").paginate(effectiveSettings=True)
    settings = {setting["name"]: setting["value"] for page in pages for setting in page["settings"]}
    assert len(settings) == 11 and settings["taskLongArnFormat"] == "enabled"
    ecs.put_account_setting_default(name="containerInsights", value="enabled")
    made = ecs.create_cluster(clusterName="insights")["cluster"]
    assert made["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert ecs.delete_account_setting(name="containerInsights")["setting"]["value"] == "disabled"
    assert ecs.list_account_settings()["settings"] == []
