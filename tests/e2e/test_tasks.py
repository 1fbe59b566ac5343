"""A task's life: statuses, time stamps, exit codes, stops, and what callers may ask for."""

import os
import signal
import threading

import pytest
from support.aws import NETWORK, ORDER, refused, unique
from support.host import cgroups_of, pid_of
from support.waiting import wait_until


def watch(stage, arn):
    """Every status that was seen, in order, until it is STOPPED."""
    seen = []

    def look():
        status = stage.task(arn)["lastStatus"]
        if not seen or seen[-1] != status:
            seen.append(status)
        return status == "STOPPED"
    wait_until(look, f"{arn} to be STOPPED", every=0)
    return seen


def test_a_whole_life(stage):
    arn = stage.run_script("trap 'exit 3' TERM; sleep 600 & wait")
    statuses = []
    watcher = threading.Thread(target=lambda: statuses.extend(watch(stage, arn)))
    watcher.start()
    running = stage.wait_running(arn)
    assert running["desiredStatus"] == "RUNNING" and running["containers"][0]["lastStatus"] == "RUNNING"
    for stamp in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "connectivityAt"):
        assert stamp in running, stamp
    assert running["connectivity"] == "CONNECTED"
    assert (running["launchType"], running["platformVersion"]) == ("FARGATE", "1.4.0")
    assert (running["cpu"], running["memory"]) == ("256", "512")
    assert running["group"] == f"family:{stage.name}"
    container = running["containers"][0]
    assert container["imageDigest"].startswith("sha256:") and container["runtimeId"]
    assert container["image"] == stage.image and container["name"] == "app"

    stage.ecs.stop_task(cluster=stage.cluster, task=arn, reason="enough")
    stopped = stage.wait(arn)
    watcher.join()
    assert (stopped["desiredStatus"], stopped["stopCode"], stopped["stoppedReason"]) \
        == ("STOPPED", "UserInitiated", "enough")
    assert stopped["containers"][0]["exitCode"] == 3
    assert statuses == [status for status in ORDER if status in statuses], "statuses only move forward"
    assert statuses[-1] == "STOPPED" and "RUNNING" in statuses
    stamps = ["createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "executionStoppedAt",
              "stoppedAt"]
    times = [stopped[stamp] for stamp in stamps]
    assert times == sorted(times), dict(zip(stamps, times))
    assert stopped["version"] > running["version"]


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_codes(stage, code):
    task = stage.finish(f"exit {code}")
    assert task["containers"][0]["exitCode"] == code
    assert (task["stopCode"], task["stoppedReason"]) \
        == ("EssentialContainerExited", "Essential container in task exited")


def test_killed_by_a_signal(stage):
    """From outside: its own processes can't kill a namespace's first one (pid_namespaces(7))."""
    task = stage.wait_running(stage.run_script("exec sleep 600"))
    os.kill(pid_of(task["containers"][0]["runtimeId"]), signal.SIGKILL)
    ended = stage.wait(task["taskArn"])
    assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (137, "EssentialContainerExited")
    assert "reason" not in ended["containers"][0], "it was not for lack of memory"


def test_stop_sends_sigterm_then_sigkill(stage):
    stubborn = stage.register(stage.container("trap '' TERM; while true; do sleep 1; done", stopTimeout=2))
    polite = stage.register(stage.container("trap 'exit 7' TERM; sleep 600 & wait", stopTimeout=60))
    arns = [stage.run(stubborn), stage.run(polite)]
    for arn in arns:
        stage.wait_running(arn)
        stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    assert stage.wait(arns[1])["containers"][0]["exitCode"] == 7
    killed = stage.wait(arns[0])
    assert killed["containers"][0]["exitCode"] == 137
    assert (killed["stopCode"], killed["stoppedReason"]) == ("UserInitiated", "Task stopped by user")


def test_stop_before_it_runs(stage):
    arn = stage.run_script("sleep 600")
    stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    task = stage.wait(arn)
    assert task["stopCode"] == "UserInitiated"
    again = stage.ecs.stop_task(cluster=stage.cluster, task=arn)["task"]
    assert again["lastStatus"] == "STOPPED"


def test_out_of_memory(stage):
    task = stage.finish("x=a; while true; do x=$x$x; done", memory="512")
    container = task["containers"][0]
    assert container["exitCode"] == 137
    assert container["reason"].startswith("OutOfMemoryError: Container killed due to memory usage")
    assert task["stopCode"] == "EssentialContainerExited"


def test_missing_image(stage):
    missing = f"{stage.account.server.host}/{stage.account.repository()}:never"
    task = stage.wait(stage.run(stage.register(stage.container("true", image=missing))))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert missing in task["stoppedReason"] and "not found" in task["stoppedReason"]
    assert "exitCode" not in task["containers"][0] and "startedAt" not in task


def test_image_of_a_registry_that_is_not_there(stage):
    task = stage.wait(stage.run(stage.register(stage.container("true", image="127.0.0.1:1/nothing:latest"))))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")


@pytest.mark.parametrize("command, words", [(["/no/such/program"], "no such file or directory"),
                                            (["/etc/passwd"], "permission denied"),
                                            (["no-such-word"], "not found")])
def test_commands_that_cannot_be_executed(stage, command, words):
    task = stage.wait(stage.run(stage.register(stage.container(command=command))))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(("CannotStartContainerError: ", "CannotCreateContainerError: "))
    assert words in task["stoppedReason"].lower() and command[0] in task["stoppedReason"]


def test_overrides(stage):
    definition = stage.register(stage.container(
        "echo definition", logged=True, environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]))
    limits = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    given = {
        "containerOverrides": [{
            "name": "app",
            "command": ["/bin/sh", "-c", f"echo $A $B $C; cat {limits} || cat /sys/fs/cgroup/memory.max"],
            "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
            "cpu": 64, "memory": 96, "memoryReservation": 48}],
        "taskRoleArn": "arn:aws:iam::000000000000:role/task",
        "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
        "ephemeralStorage": {"sizeInGiB": 30},
    }
    task = stage.wait(stage.run(definition, overrides=given))
    lines = stage.lines(task)
    assert lines[0] == "1 3 4"
    assert {name: task["overrides"][name] for name in given} == given
    assert task["ephemeralStorage"] == {"sizeInGiB": 30}
    own = lambda **fields: lambda: stage.run(definition, overrides={"containerOverrides": [{"name": "app", **fields}]})
    refused(own(memory=513), "InvalidParameterException", "greater than for the task")
    refused(own(command=["x" * 8192]), "InvalidParameterException", "8192")
    refused(own(environmentFiles=[{"value": "arn:aws:s3:::b/f", "type": "s3"}]), "UnsupportedFeatureException",
            "environmentFiles")
    refused(own(resourceRequirements=[{"type": "GPU", "value": "1"}]), "InvalidParameterException",
            "do not support GPU resource requirements")
    refused(lambda: stage.run(definition, overrides={"containerOverrides": [{"name": "other"}]}),
            "InvalidParameterException", "other")


def test_overrides_of_the_task_s_size(stage):
    arn = stage.run(stage.register(stage.container("sleep 600")), overrides={"cpu": "512", "memory": "1024"})
    task = stage.task(arn)
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    runtime = stage.wait_running(arn)["containers"][0]["runtimeId"]
    folders = cgroups_of(runtime)
    limit = folders["memory"] / "../memory.limit_in_bytes" if "memory" in folders else folders[""] / "../memory.max"
    assert limit.read_text().strip() == str(1024 << 20)
    refused(lambda: stage.run(stage.name, overrides={"cpu": "100"}), "ClientException", "No Fargate configuration")


def test_count_group_started_by_and_lists(stage):
    definition = stage.register(stage.container("exec sleep 600"))
    three = stage.run(definition, count=3, startedBy="nightly", group="batch")
    one = stage.run(definition)
    listed = lambda **filters: set(stage.ecs.list_tasks(cluster=stage.cluster, **filters)["taskArns"])
    assert listed() == {*three, one} and listed(startedBy="nightly") == set(three)
    assert listed(family=stage.name) == {*three, one} and listed(family="other") == set()
    assert listed(launchType="EC2") == set()
    assert stage.task(three[0])["startedBy"] == "nightly" and stage.task(three[0])["group"] == "batch"
    stage.ecs.stop_task(cluster=stage.cluster, task=one)
    stage.wait(one)
    assert listed(desiredStatus="STOPPED") == {one} and listed() == set(three)
    pages = list(stage.ecs.get_paginator("list_tasks").paginate(cluster=stage.cluster,
                                                                 PaginationConfig={"PageSize": 2}))
    assert {arn for page in pages for arn in page["taskArns"]} == set(three) and len(pages) >= 2


def test_client_token_makes_one_task_of_two_calls(stage):
    definition, token = stage.register(stage.container("exec sleep 600")), unique("token")
    first = stage.run(definition, clientToken=token)
    assert stage.run(definition, clientToken=token) == first
    assert stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == [first]
    refused(lambda: stage.run(definition, clientToken=token, startedBy="other"), "ConflictException")


def test_tags_come_from_the_call_and_the_definition(stage):
    definition = stage.register(stage.container("exec sleep 600"), tags=[{"key": "from", "value": "definition"},
                                                                       {"key": "a", "value": "1"}])
    arn = stage.run(definition, propagateTags="TASK_DEFINITION", tags=[{"key": "a", "value": "2"}],
                    enableECSManagedTags=True)
    tags = {tag["key"]: tag["value"] for tag in stage.task(arn)["tags"]}
    assert tags == {"from": "definition", "a": "2", "aws:ecs:clusterName": stage.cluster}


def test_arguments_that_are_refused(stage):
    definition = stage.register(stage.container("true"))
    refused(lambda: stage.run(definition, count=11), "InvalidParameterException")
    refused(lambda: stage.run("never-made"), "ClientException", "TaskDefinition not found")
    refused(lambda: stage.run(definition, group="service:x"), "InvalidParameterException")
    refused(lambda: stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="FARGATE"),
            "InvalidParameterException", "Network Configuration must be provided")
    refused(lambda: stage.run(definition, platformVersion="9.9"), "PlatformUnknownException")
    refused(lambda: stage.ecs.stop_task(cluster=stage.cluster, task="f" * 32), "InvalidParameterException",
            "The referenced task was not found.")
    refused(lambda: stage.ecs.describe_tasks(cluster=stage.cluster, tasks=[]), "InvalidParameterException")
    missing = stage.ecs.describe_tasks(cluster=stage.cluster, tasks=["f" * 32])
    assert missing["tasks"] == [] and missing["failures"][0]["reason"] == "MISSING"
    assert stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == []


def test_no_instances_for_ec2(stage):
    arn = stage.ecs.register_task_definition(
        family=stage.name, containerDefinitions=[{"name": "a", "image": "a", "memory": 64}],
    )["taskDefinition"]["taskDefinitionArn"]
    refused(lambda: stage.ecs.run_task(cluster=stage.cluster, taskDefinition=arn), "InvalidParameterException",
            "No Container Instances were found in your cluster.")


def test_more_memory_than_there_is(stage):
    definition = stage.register(stage.container("true"), cpu="16384", memory="122880")
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="FARGATE", count=10,
                                networkConfiguration=NETWORK)
    assert len(answer["tasks"]) + len(answer["failures"]) == 10 and answer["failures"]
    assert answer["failures"][0]["reason"].startswith("Capacity is unavailable at this time.")
    assert answer["failures"][0]["detail"]
