"""What the simulation plays, with real containers: processes that die, links that are cut, images that come slowly, tasks
that fail in every way, each in the middle of a deployment. The promise is looked at all the while (`support/promise.py`),
and everything comes to its end."""

import os
import pathlib

import pytest
from support import image
from support.aws import Account, Stage, unique
from support.held import HeldRegistry
from support.hook import Hook
from support.host import pid_of
from support.machine import Machine
from support.promise import Promise, alive
from support.server import Server
from support.waiting import wait_until

pytestmark = pytest.mark.long

# So that a test says how far a deployment goes.
BECOMES_HEALTHY = {"command": ["CMD-SHELL", "test -e /tmp/good"], "interval": 5, "timeout": 2, "retries": 10,
                   "startPeriod": 300}
OVER = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
ROLLS_BACK = {"enable": True, "rollback": True, "thresholdConfiguration": {"type": "COUNT", "value": 1}}


@pytest.fixture(scope="module")
def server():
    """One that scenarios may kill."""
    server = Server("longshore-scenario-")
    server.start()
    yield server
    if server.process is None:
        server.start()
    server.end()


@pytest.fixture(scope="module")
def picture(server):
    return Account(server).push(image.busybox())


@pytest.fixture
def stage(server, picture):
    if server.process is None:
        server.start()
    stage = Stage(Account(server), picture)
    yield stage
    if server.process is None:
        server.start()
    stage.clear()


class Revision:
    """A task definition whose processes can be told from all others'."""

    def __init__(self, stage, script="trap 'exit 0' TERM; sleep 600 & wait", own=False, **container):
        self.mark = unique("mark")
        container = stage.container(f": {self.mark}; {script}", **container)
        if own:
            # For machines of one's own.
            self.arn = stage.ecs.register_task_definition(
                family=stage.name, networkMode="none", requiresCompatibilities=["EC2"],
                containerDefinitions=[{**container, "memory": 32}])["taskDefinition"]["taskDefinitionArn"]
        else:
            self.arn = stage.register(container)

    def running(self, stage, service):
        return [task for task in stage.running(service) if task["taskDefinitionArn"] == self.arn]

    def become_healthy(self, stage, service):
        """Those that run now, if `BECOMES_HEALTHY` checks them."""
        for task in self.running(stage, service):
            pathlib.Path(f"/proc/{pid_of(task['containers'][0]['runtimeId'])}/root/tmp/good").touch()


def bounds(minimum=100, maximum=200, **more):
    return {"minimumHealthyPercent": minimum, "maximumPercent": maximum, **more}


def update(stage, service, revision, **fields):
    """The service deployment that it makes."""
    return stage.ecs.update_service(cluster=stage.cluster, service=service, taskDefinition=revision.arn,
                                    **fields)["service"]["currentServiceDeployment"]


def deployment(stage, arn):
    return stage.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def ends(stage, arn, status):
    wait_until(lambda: deployment(stage, arn)["status"] in OVER, f"{arn} to be over")
    assert deployment(stage, arn)["status"] == status, deployment(stage, arn)


def arns(tasks):
    return {task["taskArn"] for task in tasks}


def restart(server):
    server.kill()
    server.start()


def on_own_machines(stage, revision, count, **fields):
    """A service of the launch type EC2 that is stable."""
    name = unique("svc")
    stage.ecs.create_service(cluster=stage.cluster, serviceName=name, taskDefinition=revision.arn, launchType="EC2",
                             desiredCount=count, **fields)
    stage.wait_stable(name, count)
    return name


@pytest.fixture
def machines(server, stage):
    """Agents that come when a test wants them."""
    started = []

    def join(inside=()):
        started.append(Machine(server, stage, f"m{len(started)}", inside).start())
        return started[-1]
    yield join
    if server.process is None:
        server.start()
    for machine in started:
        machine.down()


def test_the_server_dies_while_tasks_are_replaced(server, stage):
    old, new = Revision(stage), Revision(stage, healthCheck=BECOMES_HEALTHY)
    name = stage.create_service(old.arn, 3, deploymentConfiguration=bounds(100, 150))
    stage.wait_stable(name, 3)
    with Promise(stage, name, 3, 4):
        arn = update(stage, name, new)
        for already in range(3):
            wait_until(lambda: len(new.running(stage, name)) == already + 1, "the next new task")
            restart(server)
            assert (len(old.running(stage, name)), alive(new.mark)) == (3 - already, already + 1)
            new.become_healthy(stage, name)
        ends(stage, arn, "SUCCESSFUL")
        stage.wait_stable(name, 3)
    wait_until(lambda: (alive(old.mark), alive(new.mark)) == (0, 3), "the old ones to be gone")


def test_an_agent_dies_while_tasks_are_replaced(stage, machines):
    machine = machines()
    old, new = Revision(stage, own=True), Revision(stage, own=True, healthCheck=BECOMES_HEALTHY)
    name = on_own_machines(stage, old, 2, deploymentConfiguration=bounds(100, 150))
    with Promise(stage, name, 2, 3, "mark-"):
        arn = update(stage, name, new)
        for already in range(2):
            wait_until(lambda: len(new.running(stage, name)) == already + 1, "the next new task")
            machine.kill()
            assert (alive(old.mark), alive(new.mark)) == (2 - already, already + 1), "they do without it"
            machine.start()
            new.become_healthy(stage, name)
        ends(stage, arn, "SUCCESSFUL")
        stage.wait_stable(name, 2)
    wait_until(lambda: (alive(old.mark), alive(new.mark)) == (0, 2), "the old ones to be gone")


def test_an_image_comes_slowly_and_the_server_dies_meanwhile(server, stage):
    old, registry = Revision(stage), HeldRegistry(image.busybox(extra=[("word", unique("w").encode(), 0o644)]))
    new = Revision(stage, image=registry.image)
    name = stage.create_service(old.arn, 2, deploymentConfiguration=bounds())
    before = arns(stage.wait_stable(name, 2))
    try:
        with Promise(stage, name, 2, 4, old.mark):
            update(stage, name, new)
            wait_until(registry.asked.is_set, "the image to be asked for")
            registry.asked.clear()
            restart(server)
            wait_until(registry.asked.is_set, "the image to be asked for once more")
            assert arns(stage.running(name)) == before and alive(new.mark) == 0
        with Promise(stage, name, 2, 4):
            registry.gate.set()
            stage.wait_stable(name, 2)
        assert len(new.running(stage, name)) == 2
    finally:
        registry.close()


def test_tasks_that_hang_in_their_start_are_given_up(server, stage):
    old = Revision(stage)
    name = stage.create_service(old.arn, 2, deploymentConfiguration=bounds(deploymentCircuitBreaker=ROLLS_BACK))
    before = arns(stage.wait_stable(name, 2))
    never = stage.container("sleep 600", name="never", startTimeout=2, essential=False)
    waits = stage.container("sleep 600", dependsOn=[{"containerName": "never", "condition": "SUCCESS"}])
    hangs = stage.register(waits, never)
    with Promise(stage, name, 2, 4, old.mark):
        updated = stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=hangs)["service"]
        wait_until(lambda: [task for task in stage.tasks_of(name) if task["taskDefinitionArn"] == hangs], "a new task")
        restart(server)
        ends(stage, updated["currentServiceDeployment"], "ROLLBACK_SUCCESSFUL")
        assert arns(stage.wait_stable(name, 2)) == before, "what ran was not touched"


def test_a_task_turns_unhealthy_and_the_server_dies(server, stage):
    check = {"command": ["CMD-SHELL", "test -e /tmp/good"], "interval": 5, "timeout": 2, "retries": 1}
    revision = Revision(stage, "touch /tmp/good; trap 'exit 0' TERM; sleep 600 & wait", healthCheck=check)
    name = stage.create_service(revision.arn, 2, deploymentConfiguration=bounds())
    first = stage.wait_stable(name, 2)
    with Promise(stage, name, 2, 4, revision.mark):
        ill = first[0]
        os.unlink(f"/proc/{pid_of(ill['containers'][0]['runtimeId'])}/root/tmp/good")
        wait_until(lambda: stage.task(ill["taskArn"])["healthStatus"] == "UNHEALTHY", "the task to be unhealthy")
        restart(server)
        assert stage.wait(ill["taskArn"])["stoppedReason"] == "Task failed container health checks"
        assert ill["taskArn"] not in arns(stage.wait_stable(name, 2))


def test_a_newer_deployment_comes_in_the_middle_and_the_server_dies(server, stage):
    old, stuck, new = Revision(stage), Revision(stage, healthCheck=BECOMES_HEALTHY), Revision(stage)
    name = stage.create_service(old.arn, 2, deploymentConfiguration=bounds())
    stage.wait_stable(name, 2)
    with Promise(stage, name, 2, 4):
        first = update(stage, name, stuck)
        wait_until(lambda: alive(stuck.mark) == 2, "the new tasks, which never become healthy")
        second = update(stage, name, new)
        restart(server)
        ends(stage, second, "SUCCESSFUL")
        ends(stage, first, "STOPPED")
        stage.wait_stable(name, 2)
    wait_until(lambda: [alive(one.mark) for one in (old, stuck, new)] == [0, 0, 2], "only the newest to be left")


def test_the_server_dies_while_a_deployment_is_rolled_back(server, stage):
    old, new = Revision(stage), Revision(stage, healthCheck=BECOMES_HEALTHY)
    # An old one makes way first, so something has to come back.
    name = stage.create_service(old.arn, 3, deploymentConfiguration=bounds(66, 100))
    stage.wait_stable(name, 3)
    with Promise(stage, name, 2, 3):
        arn = update(stage, name, new)
        wait_until(lambda: (alive(old.mark), alive(new.mark)) == (2, 1), "a new task in the place of an old one")
        stage.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        restart(server)
        ends(stage, arn, "ROLLBACK_SUCCESSFUL")
        stage.wait_stable(name, 3)
    assert len(old.running(stage, name)) == 3


def test_green_waits_for_its_hook_and_the_server_dies(server, stage):
    blue, green, hook = Revision(stage), Revision(stage), Hook()
    strategy = bounds(strategy="BLUE_GREEN", bakeTimeInMinutes=0, lifecycleHooks=[
        {"hookTargetArn": hook.url, "roleArn": "arn:aws:iam::000000000000:role/hooks",
         "lifecycleStages": ["POST_SCALE_UP"]}])
    name = stage.create_service(blue.arn, 2)
    stage.wait_stable(name, 2)
    try:
        with Promise(stage, name, 2, 4):
            with Promise(stage, name, 2, 4, blue.mark):
                hook.answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": 1}
                arn = update(stage, name, green, deploymentConfiguration=strategy)
                wait_until(lambda: hook.told, "the hook to be asked")
                restart(server)
                asked = len(hook.told)
                wait_until(lambda: len(hook.told) > asked, "the hook to be asked again")
                assert len({told["executionId"] for told in hook.told}) == 1
                assert (alive(blue.mark), alive(green.mark)) == (2, 2)
            hook.answer = {"hookStatus": "SUCCEEDED"}
            ends(stage, arn, "SUCCESSFUL")
            stage.wait_stable(name, 2)
        assert len(green.running(stage, name)) == 2
    finally:
        hook.close()


def test_a_machine_joins_and_another_drains_while_a_daemon_is_replaced(stage, machines):
    old, new = Revision(stage, own=True), Revision(stage, own=True, healthCheck=BECOMES_HEALTHY)
    first, second = machines(), machines()
    stage.ecs.create_service(cluster=stage.cluster, serviceName="watch", taskDefinition=old.arn, launchType="EC2",
                             schedulingStrategy="DAEMON", deploymentConfiguration={"minimumHealthyPercent": 50})
    stage.wait_stable("watch", 2)
    with Promise(stage, "watch", 1, 3):
        arn = update(stage, "watch", new)
        wait_until(lambda: new.running(stage, "watch"), "the first new task")
        third = machines()
        leaving = first.known()["containerInstanceArn"]
        stage.ecs.update_container_instances_state(cluster=stage.cluster, containerInstances=[leaving], status="DRAINING")

        def over():
            new.become_healthy(stage, "watch")
            return deployment(stage, arn)["status"] in OVER
        wait_until(over, "the deployment to be over", every=0.3)
        ends(stage, arn, "SUCCESSFUL")
        stage.wait_stable("watch", 2)
    where = {task["containerInstanceArn"] for task in new.running(stage, "watch")}
    assert where == {machine.known()["containerInstanceArn"] for machine in (second, third)}


def test_a_protected_task_outlives_a_scale_in_and_the_server(server, stage):
    revision = Revision(stage)
    name = stage.create_service(revision.arn, 3)
    kept = stage.wait_stable(name, 3)[0]
    stage.ecs.update_task_protection(cluster=stage.cluster, tasks=[kept["taskArn"]], protectionEnabled=True)
    pid = pid_of(kept["containers"][0]["runtimeId"])
    with Promise(stage, name, 1, 3, revision.mark):
        stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=0)
        restart(server)
        wait_until(lambda: arns(stage.running(name)) == {kept["taskArn"]} and alive(revision.mark) == 1,
                   "the others to be gone")
        assert pid_of(kept["containers"][0]["runtimeId"]) == pid
    stage.ecs.update_task_protection(cluster=stage.cluster, tasks=[kept["taskArn"]], protectionEnabled=False)
    stage.wait_stable(name, 0)


def test_tasks_that_crash_after_their_start_are_given_up_though_the_server_dies(server, stage):
    old, crashes = Revision(stage), Revision(stage, "sleep 0.3; exit 1")
    name = stage.create_service(old.arn, 2, deploymentConfiguration=bounds(
        deploymentCircuitBreaker={"enable": True, "rollback": True}))
    before = arns(stage.wait_stable(name, 2))
    with Promise(stage, name, 2, 4, old.mark):
        arn = update(stage, name, crashes)
        wait_until(lambda: deployment(stage, arn)["deploymentCircuitBreaker"]["failureCount"] > 0, "a first failure")
        restart(server)
        ends(stage, arn, "ROLLBACK_SUCCESSFUL")
        assert arns(stage.wait_stable(name, 2)) == before, "what ran was not touched"
