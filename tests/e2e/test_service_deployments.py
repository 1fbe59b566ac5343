"""Service deployments and revisions: what deployments leave behind, and how a user ends one."""

from datetime import UTC, datetime

import pytest
from support import image
from support.aws import refused
from support.waiting import wait_until

GOOD = "trap 'exit 0' TERM; sleep 600 & wait"
OVER = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


def breaker(rollback=True):
    return {"deploymentCircuitBreaker": {"enable": True, "rollback": rollback}}


def good(stage, **container):
    return stage.register(stage.container(GOOD, **container))


def never_healthy(stage):
    """Runs, and doesn't come to its deployment's end."""
    check = {"command": ["CMD", "/bin/false"], "interval": 5, "timeout": 2, "retries": 10, "startPeriod": 300}
    return stage.register(stage.container(GOOD, healthCheck=check))


def deployment(stage, arn):
    answer = stage.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == []
    return answer["serviceDeployments"][0]


def current(stage, name):
    return stage.service(name)["currentServiceDeployment"]


def listed(stage, name, **filters):
    answer = stage.ecs.list_service_deployments(cluster=stage.cluster, service=name, **filters)
    return [one["serviceDeploymentArn"] for one in answer["serviceDeployments"]]


def over(stage, arn, *statuses):
    """Waits for its end, seeing nothing but these on the way."""
    seen = []

    def ended():
        seen.append(deployment(stage, arn)["status"])
        return seen[-1] in OVER
    wait_until(ended, f"{arn} to be over")
    assert set(seen) <= set(statuses), seen
    return deployment(stage, arn)


def update(stage, name, definition, **more):
    """The service deployment that it makes."""
    answer = stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=definition, **more)["service"]
    return answer["currentServiceDeployment"]


def counts(summary):
    return summary["requestedTaskCount"], summary["runningTaskCount"], summary["pendingTaskCount"]


def test_success(stage):
    began = datetime.now(UTC)
    picture = stage.account.push(image.busybox(extra=[("word", b"first", 0o644)]))
    name = stage.create_service(good(stage, image=picture), 2, deploymentConfiguration=breaker())
    first = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    assert first["status"] == "SUCCESSFUL" and first["sourceServiceRevisions"] == []
    assert began <= first["createdAt"] <= first["startedAt"] <= first["finishedAt"] == first["updatedAt"]
    assert counts(first["targetServiceRevision"]) == (2, 2, 0) and "stoppedAt" not in first
    assert first["deploymentCircuitBreaker"] == {"status": "MONITORING_COMPLETE", "failureCount": 0, "threshold": 3}
    second = over(stage, update(stage, name, good(stage)), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    source, = second["sourceServiceRevisions"]
    assert source["arn"] == first["targetServiceRevision"]["arn"] and counts(source) == (0, 0, 0)
    service = stage.service(name)
    assert [revision["arn"] for revision in service["currentServiceRevisions"]] == [second["targetServiceRevision"]["arn"]]
    assert service["deployments"][0]["id"].split("/")[1] in second["targetServiceRevision"]["arn"]
    assert listed(stage, name) == [second["serviceDeploymentArn"], first["serviceDeploymentArn"]]
    assert listed(stage, name, createdAt={"after": first["createdAt"]}) == [second["serviceDeploymentArn"]]
    # A revision outlives its tasks, with the digest that they ran.
    answer = stage.ecs.describe_service_revisions(serviceRevisionArns=[source["arn"]])
    revision, = answer["serviceRevisions"]
    assert revision["taskDefinition"].endswith(":1") and revision["launchType"] == "FARGATE"
    digest = stage.account.ecr.describe_images(repositoryName=picture.split("/")[1].split(":")[0])["imageDetails"][0]
    assert revision["containerImages"] == [
        {"containerName": "app", "image": picture, "imageDigest": digest["imageDigest"]}]


def test_the_breaker_rolls_back(stage):
    name = stage.create_service(good(stage), 2, deploymentConfiguration=breaker())
    first = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    worse = stage.register(stage.container("sleep 600", image=f"{stage.account.server.host}/none/such:1"))
    failed = over(stage, update(stage, name, worse), "PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS",
                  "ROLLBACK_SUCCESSFUL")
    assert failed["status"] == "ROLLBACK_SUCCESSFUL"
    reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
    assert failed["statusReason"] == reason and failed["rollback"]["reason"] == reason
    assert failed["rollback"]["serviceRevisionArn"] == first["targetServiceRevision"]["arn"]
    assert failed["startedAt"] <= failed["rollback"]["startedAt"] <= failed["finishedAt"]
    watch = failed["deploymentCircuitBreaker"]
    assert watch["status"] == "TRIGGERED" and watch["failureCount"] >= watch["threshold"] == 3
    assert deployment(stage, first["serviceDeploymentArn"]) == first, "what was over is as it was"
    assert listed(stage, name, status=["ROLLBACK_SUCCESSFUL"]) == [failed["serviceDeploymentArn"]]


def test_without_anything_to_go_back_to(stage):
    worse = stage.register(stage.container("exit 1"))
    name = stage.create_service(worse, 1, deploymentConfiguration=breaker())
    failed = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "ROLLBACK_FAILED")
    assert failed["statusReason"] == "No rollback candidate was found to run the rollback."


def test_a_user_rolls_back(stage):
    name = stage.create_service(good(stage), 2)
    first = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    before = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    arn = update(stage, name, never_healthy(stage))
    wait_until(lambda: deployment(stage, arn)["targetServiceRevision"]["runningTaskCount"] == 2, "the new tasks to run")
    going = deployment(stage, arn)
    assert going["status"] == "IN_PROGRESS" and [counts(s) for s in going["sourceServiceRevisions"]] == [(0, 2, 0)]
    assert stage.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    # Once more, while it goes on.
    again = deployment(stage, arn)["status"]
    if again not in OVER:
        stage.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    done = over(stage, arn, "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
    assert done["rollback"]["serviceRevisionArn"] == first["targetServiceRevision"]["arn"]
    assert {task["taskArn"] for task in stage.wait_stable(name, 2)} == before, "what ran was not touched"
    assert stage.service(name)["taskDefinition"].endswith(":1")
    refused(lambda: stage.ecs.stop_service_deployment(serviceDeploymentArn=arn), "ConflictException")


def test_a_user_aborts(stage):
    name = stage.create_service(good(stage), 2)
    over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    before = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    arn = update(stage, name, never_healthy(stage))
    wait_until(lambda: deployment(stage, arn)["targetServiceRevision"]["runningTaskCount"] == 2, "the new tasks to run")
    stage.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ABORT")
    done = over(stage, arn, "STOP_REQUESTED", "STOPPED")
    assert done["stoppedAt"] == done["finishedAt"] and "rollback" not in done
    failed, old = stage.service(name)["deployments"]
    assert failed["rolloutState"] == "FAILED" and old["runningCount"] == 2
    assert before <= {task["taskArn"] for task in stage.running(name)}
    # A new deployment is the way on.
    assert over(stage, update(stage, name, good(stage)), "PENDING", "IN_PROGRESS", "SUCCESSFUL")["status"] == "SUCCESSFUL"


def test_a_newer_one_ends_it(stage):
    name = stage.create_service(good(stage), 1)
    over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    stuck = update(stage, name, never_healthy(stage))
    wait_until(lambda: deployment(stage, stuck)["status"] == "IN_PROGRESS", "the deployment to begin")
    newer = update(stage, name, good(stage))
    assert deployment(stage, stuck)["status"] == "STOPPED"
    done = over(stage, newer, "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    assert len(done["sourceServiceRevisions"]) == 2
    stage.ecs.delete_service(cluster=stage.cluster, service=name, force=True)
    wait_until(lambda: stage.service(name)["status"] == "INACTIVE", "the service to drain")
    assert listed(stage, name)[0] == newer, "the history is known as long as the service is"


def test_a_kill_in_the_middle(own_server, own_stage):
    stage = own_stage
    name = stage.create_service(good(stage), 2)
    first = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    before = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    arn = update(stage, name, never_healthy(stage))
    wait_until(lambda: deployment(stage, arn)["targetServiceRevision"]["runningTaskCount"] == 2, "the new tasks to run")
    going = deployment(stage, arn)
    own_server.kill()
    own_server.start()
    # The agents' sessions are taken up again after that; nothing but their tasks' state says more than before.
    assert {**deployment(stage, arn), "updatedAt": None} == {**going, "updatedAt": None}
    stage.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    own_server.kill()
    own_server.start()
    done = over(stage, arn, "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
    assert done["status"] == "ROLLBACK_SUCCESSFUL"
    assert {task["taskArn"] for task in stage.wait_stable(name, 2)} == before
    assert deployment(stage, first["serviceDeploymentArn"]) == first
    assert listed(stage, name) == [arn, first["serviceDeploymentArn"]]


def test_a_push_is_a_deployment(stage):
    account = stage.account
    repository = account.repository()
    name = stage.create_service(good(stage, image=account.push(image.busybox(), repository)), 1)
    first = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    account.push(image.busybox(extra=[("word", b"pushed", 0o644)]), repository)
    wait_until(lambda: current(stage, name) != first["serviceDeploymentArn"], "the push to deploy")
    pushed = over(stage, current(stage, name), "PENDING", "IN_PROGRESS", "SUCCESSFUL")
    revision, = stage.ecs.describe_service_revisions(
        serviceRevisionArns=[pushed["targetServiceRevision"]["arn"]])["serviceRevisions"]
    container, = revision["containerImages"]
    assert container["image"].endswith("@" + container["imageDigest"])


@pytest.mark.parametrize("waiter", ["services_stable", "tasks_running", "services_inactive", "tasks_stopped"])
def test_the_sdk_s_waiters(stage, waiter):
    name = stage.create_service(good(stage), 1)
    wait_until(lambda: stage.tasks_of(name), "a task")
    tasks = [task["taskArn"] for task in stage.tasks_of(name)]
    subject = {"tasks": tasks} if waiter.startswith("tasks") else {"services": [name]}
    if waiter in ("services_inactive", "tasks_stopped"):
        stage.ecs.delete_service(cluster=stage.cluster, service=name, force=True)
    patience = {"Delay": 1, "MaxAttempts": 90}
    stage.ecs.get_waiter(waiter).wait(cluster=stage.cluster, WaiterConfig=patience, **subject)
