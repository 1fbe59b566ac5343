"""The deployment circuit breaker: a deployment whose tasks don't hold is given up, and what ran before goes on."""

from support import image
from support.aws import Stage
from support.waiting import wait_until

ROLLS_BACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def watched(stage: Stage, count=2, breaker=ROLLS_BACK, **container):
    """A service with a breaker that has come to its first deployment's end, and its tasks."""
    definition = stage.register(stage.container("trap 'exit 0' TERM; sleep 600 & wait", **container))
    name = stage.create_service(definition, count, deploymentConfiguration=breaker)
    return name, stage.wait_stable(name, count)


def picture(word):
    return image.busybox(extra=[("word", word.encode(), 0o644)])


def said(stage, name):
    return [event["message"] for event in stage.service(name)["events"]]


def arns(tasks):
    return {task["taskArn"] for task in tasks}


def given_up(stage, name, failed, back_to):
    """Both events, in their order."""
    events = [f"(service {name}) rolling back to deployment {back_to}.",
              f"(service {name}) (deployment {failed}) deployment failed: tasks failed to start."]
    wait_until(lambda: events[0] in said(stage, name), "the deployment to be rolled back")
    told = said(stage, name)
    at = told.index(events[0])
    assert told[at:at + 2] == events


def test_what_cannot_start_is_rolled_back(stage):
    name, before = watched(stage)
    first = stage.service(name)
    worse = stage.register(stage.container("sleep 600", image=f"{stage.account.server.host}/none/such:1"))
    updated = stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=worse)["service"]
    given_up(stage, name, updated["deployments"][0]["id"], first["deployments"][0]["id"])
    after = stage.wait_stable(name, 2)
    assert arns(after) == arns(before), "what ran was not touched"
    now = stage.service(name)
    assert now["taskDefinition"] == first["taskDefinition"]
    assert now["deployments"][0]["id"] == first["deployments"][0]["id"] and now["deployments"][0]["failedTasks"] == 0


def test_what_ends_after_it_has_started_is_rolled_back(stage):
    name, before = watched(stage)
    first = stage.service(name)
    worse = stage.register(stage.container("sleep 0.3; exit 1"))
    updated = stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=worse)["service"]
    given_up(stage, name, updated["deployments"][0]["id"], first["deployments"][0]["id"])
    assert arns(stage.wait_stable(name, 2)) == arns(before), "the old stayed until the new would have held"


def test_without_rollback_the_deployment_fails_and_rests(stage):
    threshold = {"type": "COUNT", "value": 1}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False, "thresholdConfiguration": threshold}}
    name, before = watched(stage, 1, breaker)
    worse = stage.register(stage.container("exit 1"))
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=worse)
    wait_until(lambda: stage.service(name)["deployments"][0]["rolloutState"] == "FAILED", "the deployment to fail")
    failed, old = stage.service(name)["deployments"]
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert failed["failedTasks"] == 1 and failed["taskDefinition"] == worse
    assert old["status"] == "ACTIVE" and arns(stage.running(name)) == arns(before)
    assert stage.ecs.describe_services(cluster=stage.cluster, services=[name])["services"][0][
        "deploymentConfiguration"]["deploymentCircuitBreaker"]["thresholdConfiguration"] == threshold
    # A new deployment is a new beginning.
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=old["taskDefinition"])
    stage.wait_stable(name, 1)


def test_a_push_that_does_not_hold_is_rolled_back_once(stage):
    account = stage.account
    repository = account.repository()
    good = picture("good")
    name, before = watched(stage, 1, image=account.push(good, repository))
    # The same command, for which the image has no shell.
    account.push(image.busybox(extra=[("bin/sh", b"#!/none\n", 0o755)]), repository)
    wait_until(lambda: any("rolling back" in text for text in said(stage, name)), "the push to be rolled back")
    assert arns(stage.wait_stable(name, 1)) == arns(before)
    assert stage.service(name)["taskDefinition"].endswith(":1")
    assert sum("was pushed as" in text for text in said(stage, name)) == 1
    # What is pushed next is deployed.
    account.push(picture("better"), repository)
    wait_until(lambda: stage.service(name)["taskDefinition"].endswith(":3"), "the next push to be deployed")
    assert arns(stage.wait_stable(name, 1)).isdisjoint(arns(before))
