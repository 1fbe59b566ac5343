"""Services: the desired count for ever, rolling updates within their bounds, events that tell."""

import os
import signal
import subprocess
import threading

import pytest
from support.aws import address, refused, unique
from support.host import fetch, pid_of
from support.server import ROOT
from support.waiting import wait_until


def web(stage, word, **fields):
    """A definition that answers `word`, and ends when it is told to."""
    script = f"echo {word} > /tmp/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /tmp & wait"
    return stage.register(stage.container(script, portMappings=[{"containerPort": 8080}], **fields))


def idle(stage):
    return stage.register(stage.container("trap 'exit 0' TERM; sleep 600 & wait"))


def messages(stage, name):
    return [event["message"] for event in stage.service(name)["events"]]


def test_create_and_describe(stage):
    definition = idle(stage)
    made = stage.ecs.create_service(
        cluster=stage.cluster, serviceName="web", taskDefinition=definition, desiredCount=2, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}, propagateTags="SERVICE",
        enableECSManagedTags=True, tags=[{"key": "a", "value": "b"}])["service"]
    assert made["serviceArn"].endswith(f":service/{stage.cluster}/web") and made["status"] == "ACTIVE"
    assert made["schedulingStrategy"] == "REPLICA" and made["desiredCount"] == 2
    assert made["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert made["deploymentConfiguration"]["maximumPercent"] == 200
    assert [deployment["status"] for deployment in made["deployments"]] == ["PRIMARY"]
    stage.ecs.get_waiter("services_stable").wait(cluster=stage.cluster, services=["web"],
                                                 WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    tasks = stage.wait_stable("web", 2)
    for task in tasks:
        assert task["group"] == "service:web" and task["startedBy"] == made["deployments"][0]["id"]
    tags = {tag["key"]: tag["value"] for tag in stage.task(tasks[0]["taskArn"])["tags"]}
    assert tags == {"a": "b", "aws:ecs:clusterName": stage.cluster, "aws:ecs:serviceName": "web"}
    assert [arn.rsplit("/", 1)[1] for arn in stage.ecs.list_services(cluster=stage.cluster)["serviceArns"]] == ["web"]
    said = messages(stage, "web")
    assert said[0] == "(service web) has reached a steady state."
    assert any(text.startswith("(service web) has started 2 tasks: (task ") for text in said)
    assert any(text.endswith("deployment completed.") for text in said)


def test_desired_count_is_kept(stage):
    name = stage.create_service(idle(stage), 2)
    first = stage.wait_stable(name, 2)
    dying = first[0]
    os.kill(pid_of(dying["containers"][0]["runtimeId"]), signal.SIGKILL)
    wait_until(lambda: dying["taskArn"] not in {task["taskArn"] for task in stage.running(name)}
               and len(stage.running(name)) == 2, "another task in its place")
    ended = stage.wait(dying["taskArn"])
    assert ended["containers"][0]["exitCode"] == 137 and ended["stopCode"] == "EssentialContainerExited"
    # One that is stopped through the API is replaced as well.
    stage.ecs.stop_task(cluster=stage.cluster, task=first[1]["taskArn"])
    wait_until(lambda: first[1]["taskArn"] not in {task["taskArn"] for task in stage.running(name)}
               and len(stage.running(name)) == 2, "another task in its place")


def test_scale_up_and_down(stage):
    name = stage.create_service(idle(stage), 1)
    one = stage.wait_stable(name, 1)[0]["taskArn"]
    stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=4)
    assert one in {task["taskArn"] for task in stage.wait_stable(name, 4)}
    stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=0)
    stage.wait_stable(name, 0)
    assert stage.service(name)["status"] == "ACTIVE"
    stopped = stage.wait(one)
    assert stopped["stopCode"] == "ServiceSchedulerInitiated" and "Scaling activity" in stopped["stoppedReason"]
    assert any("has stopped" in text for text in messages(stage, name))


class Watch(threading.Thread):
    """Counts a service's running tasks, and asks those listed for their word, until told to stop.

    A task is RUNNING when its process runs, which may be before it listens, and a listed one may have
    gone by the time it is asked: so nobody answering counts only when a second list has nobody either."""

    def __init__(self, stage, name):
        super().__init__()
        self.stage, self.name = stage, name
        self.ended = threading.Event()
        self.fewest, self.most, self.words, self.unanswered = 99, 0, [], []

    def run(self):
        while not self.ended.is_set():
            tasks = self.stage.tasks_of(self.name)
            running = [task for task in tasks if task["lastStatus"] == "RUNNING"]
            self.fewest = min(self.fewest, len(running))
            self.most = max(self.most, len(tasks))
            word = self.ask(running) or self.ask(self.stage.running(self.name))
            if word is None:
                self.unanswered.append([(task["taskArn"][-8:], task["lastStatus"]) for task in tasks])
            elif word not in self.words:
                self.words.append(word)

    @staticmethod
    def ask(tasks):
        return next(filter(None, (fetch(address(task)) for task in tasks)), None)

    def stop(self):
        self.ended.set()
        self.join()


@pytest.mark.long
def test_rolling_update(stage):
    name = stage.create_service(web(stage, "old"), 3, deploymentConfiguration={
        "minimumHealthyPercent": 100, "maximumPercent": 200})
    old = {task["taskArn"] for task in stage.wait_stable(name, 3)}
    watch = Watch(stage, name)
    wait_until(lambda: all(fetch(address(task)) for task in stage.running(name)), "answers from all")
    watch.start()
    definition = web(stage, "new")
    updated = stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=definition)["service"]
    assert [deployment["status"] for deployment in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    new = stage.wait_stable(name, 3)
    wait_until(lambda: "new\n" in watch.words, "the new word")
    watch.stop()
    assert not old & {task["taskArn"] for task in new}
    assert {task["taskDefinitionArn"] for task in new} == {definition}
    assert watch.fewest >= 3, "never below the minimum"
    assert watch.most <= 6, "never above the maximum"
    assert watch.unanswered == [], "somebody always answers"
    assert watch.words == ["old\n", "new\n"]


def test_rolling_update_without_room_for_more(stage):
    """Minimum 50, maximum 100: old ones go first."""
    name = stage.create_service(idle(stage), 2, deploymentConfiguration={
        "minimumHealthyPercent": 50, "maximumPercent": 100})
    stage.wait_stable(name, 2)
    seen = []
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=idle(stage))
    def done():
        now = stage.service(name)
        tasks = stage.tasks_of(name)
        seen.append((len([task for task in tasks if task["lastStatus"] == "RUNNING"]), len(tasks)))
        return len(now["deployments"]) == 1 and now["runningCount"] == 2
    wait_until(done, "the update")
    assert min(running for running, _ in seen) >= 1 and max(count for _, count in seen) <= 2


def test_forced_deployment_replaces_the_same_definition(stage):
    name = stage.create_service(idle(stage), 1)
    before = stage.wait_stable(name, 1)[0]
    stage.ecs.update_service(cluster=stage.cluster, service=name, forceNewDeployment=True)
    after = stage.wait_stable(name, 1)[0]
    assert before["taskArn"] != after["taskArn"] and before["taskDefinitionArn"] == after["taskDefinitionArn"]


def test_update_to_the_same_changes_nothing(stage):
    definition = idle(stage)
    name = stage.create_service(definition, 1)
    before = stage.wait_stable(name, 1)[0]
    answer = stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=1)["service"]
    assert len(answer["deployments"]) == 1
    assert stage.wait_stable(name, 1)[0]["taskArn"] == before["taskArn"]


@pytest.mark.long
def test_a_bad_image_does_not_take_the_old_down(stage):
    name = stage.create_service(web(stage, "old"), 2)
    old = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    missing = f"{stage.account.server.host}/{stage.account.repository()}:never"
    stage.ecs.update_service(cluster=stage.cluster, service=name,
                             taskDefinition=stage.register(stage.container("true", image=missing)))
    failed = wait_until(lambda: [task for task in stage.tasks_of(name, "STOPPED")
                                 if "CannotPull" in task.get("stoppedReason", "")], "a new task to fail")
    assert failed[0]["stopCode"] == "TaskFailedToStart"
    wait_until(lambda: len(stage.tasks_of(name, "STOPPED")) >= 3, "more of them")
    assert old <= {task["taskArn"] for task in stage.running(name)}
    now = stage.service(name)
    assert [deployment["rolloutState"] for deployment in now["deployments"]] == ["IN_PROGRESS", "COMPLETED"]
    # Back to what worked.
    good = now["deployments"][1]["taskDefinition"]
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=good)
    stage.wait_stable(name, 2)


def test_delete(stage):
    name = stage.create_service(idle(stage), 2)
    tasks = stage.wait_stable(name, 2)
    refused(lambda: stage.ecs.delete_service(cluster=stage.cluster, service=name), "InvalidParameterException",
            "scaled above 0")
    assert stage.ecs.delete_service(cluster=stage.cluster, service=name, force=True)["service"]["status"] == "DRAINING"
    waiting = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 120}}
    stage.ecs.get_waiter("services_inactive").wait(cluster=stage.cluster, services=[name], **waiting)
    stage.ecs.get_waiter("tasks_stopped").wait(cluster=stage.cluster, tasks=[task["taskArn"] for task in tasks],
                                               **waiting)
    assert stage.ecs.list_services(cluster=stage.cluster)["serviceArns"] == []
    refused(lambda: stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=1),
            "ServiceNotActiveException")
    # The name is free again.
    stage.create_service(idle(stage), 0, name=name)
    assert stage.service(name)["status"] == "ACTIVE"


def test_waiters_for_tasks(stage):
    arn = stage.run(idle(stage))
    waiting = {"WaiterConfig": {"Delay": 1, "MaxAttempts": 120}}
    stage.ecs.get_waiter("tasks_running").wait(cluster=stage.cluster, tasks=[arn], **waiting)
    stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    stage.ecs.get_waiter("tasks_stopped").wait(cluster=stage.cluster, tasks=[arn], **waiting)


def test_refusals(stage):
    definition = idle(stage)
    refused(lambda: stage.create_service("never-made"), "ClientException")
    refused(lambda: stage.create_service(definition, 1, name="a b"), "InvalidParameterException")
    refused(lambda: stage.create_service(definition, -1), "InvalidParameterException")
    refused(lambda: stage.create_service(definition, 1, deploymentConfiguration={
        "minimumHealthyPercent": 100, "maximumPercent": 100}), "InvalidParameterException")
    refused(lambda: stage.ecs.update_service(cluster=stage.cluster, service="none", desiredCount=1),
            "ServiceNotFoundException")
    refused(lambda: stage.ecs.delete_service(cluster=stage.cluster, service="none"), "ServiceNotFoundException")
    answer = stage.ecs.describe_services(cluster=stage.cluster, services=["none"])
    assert answer["services"] == [] and answer["failures"][0]["reason"] == "MISSING"
    name = stage.create_service(definition, 0)
    refused(lambda: stage.create_service(definition, 1, name=name), "InvalidParameterException",
            "Creation of service was not idempotent.")
    assert len(stage.ecs.list_services(cluster=stage.cluster)["serviceArns"]) == 1


def test_client_token(stage):
    definition, token, name = idle(stage), unique("token"), unique("svc")
    for _ in range(2):
        stage.create_service(definition, 0, name=name, clientToken=token)
    assert len(stage.ecs.list_services(cluster=stage.cluster)["serviceArns"]) == 1


def test_a_service_that_never_starts_is_slowed_down_and_says_so(stage):
    name = stage.create_service(stage.register(stage.container("exit 1")), 1)
    wait_until(lambda: any("is unable to consistently start tasks successfully" in text
                           for text in messages(stage, name)), "the event")
    stage.ecs.delete_service(cluster=stage.cluster, service=name, force=True)


def test_ecs_deploy(stage, account):
    """A deployment tool of other people's: changes the image, waits until the service is stable."""
    name = stage.create_service(web(stage, "old"), 1)
    stage.wait_stable(name, 1)
    tagged = stage.image.rsplit(":", 1)[0]
    done = subprocess.run(
        [ROOT / "target/venv/bin/ecs", "deploy", stage.cluster, name, "-e", "app", "WORD", "new", "--timeout", "120",
         "--sleep-time", "1", "--image", "app", tagged + ":latest", "--no-deregister"],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"], **account.environment}, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    task = stage.wait_stable(name, 1)[0]
    definition = stage.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert {"name": "WORD", "value": "new"} in definition["containerDefinitions"][0]["environment"]
