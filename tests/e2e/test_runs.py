"""Tasks that run to their end: a deadline, and further attempts, by resource tags."""

from support import image
from support.aws import refused, unique
from support.waiting import wait_until

SLEEPS = "trap 'exit 0' TERM; sleep 600 & wait"


def tags(**pairs):
    return [{"key": f"longshore:{key}", "value": value} for key, value in pairs.items()]


def of(task):
    return {tag["key"]: tag["value"] for tag in task["tags"]}


def attempts(stage, started_by):
    """All tasks of one run, the first first."""
    # A set: one that stops between the two calls is in both lists.
    arns = {arn for desired in ("RUNNING", "STOPPED") for arn in stage.ecs.list_tasks(
        cluster=stage.cluster, startedBy=started_by, desiredStatus=desired)["taskArns"]}
    described = stage.ecs.describe_tasks(cluster=stage.cluster, tasks=list(arns), include=["TAGS"]) if arns else {}
    tasks = described.get("tasks", [])
    return sorted(tasks, key=lambda task: task["createdAt"])


def ended(stage, by, count):
    def all_stopped():
        seen = attempts(stage, by)
        return len(seen) == count and all(task["lastStatus"] == "STOPPED" for task in seen) and seen
    return wait_until(all_stopped, f"{count} attempts to end")


def test_a_deadline(stage):
    arn = stage.run(stage.register(stage.container(SLEEPS)), tags=tags(timeout="3s"))
    task = stage.wait(arn)
    assert task["stoppedReason"] == "Task was stopped because it ran longer than its longshore:timeout of 3 s"
    assert task["stopCode"] == "UserInitiated" and task["containers"][0]["exitCode"] == 0
    assert (task["stoppingAt"] - task["createdAt"]).total_seconds() >= 3


def test_what_fails_is_tried_again_and_its_history_is_kept(stage):
    by = unique("nightly")
    stage.run(stage.register(stage.container("exit 7")), tags=tags(retries="2"), startedBy=by)
    first, second, third = ended(stage, by, 3)
    assert [task["containers"][0]["exitCode"] for task in (first, second, third)] == [7, 7, 7]
    assert of(second) == {"longshore:retries": "2", "longshore:attempt": "2",
                          "longshore:retry-of": first["taskArn"].rsplit("/", 1)[1]}
    assert of(third)["longshore:attempt"] == "3"
    assert (second["createdAt"] - first["stoppedAt"]).total_seconds() >= 0.9
    assert (third["createdAt"] - second["stoppedAt"]).total_seconds() >= 1.9


def test_an_attempt_that_succeeds_is_the_last(stage):
    account, by = stage.account, unique("nightly")
    repository = account.repository()
    definition = stage.register(stage.container("exit 0", image=f"{account.server.host}/{repository}:latest"))
    stage.run(definition, tags=tags(retries="8"), startedBy=by)
    wait_until(lambda: any(task.get("stopCode") == "TaskFailedToStart" for task in attempts(stage, by)), "a failure")
    account.push(image.busybox(), repository)

    def succeeded():
        last = attempts(stage, by)[-1]
        return last["lastStatus"] == "STOPPED" and last["containers"][0].get("exitCode") == 0
    wait_until(succeeded, "an attempt to succeed")
    assert len(attempts(stage, by)) >= 2


def test_a_user_s_stop_is_the_end(stage):
    by = unique("nightly")
    arn = stage.run(stage.register(stage.container(SLEEPS)), tags=tags(retries="5"), startedBy=by)
    stage.wait_running(arn)
    stage.ecs.stop_task(cluster=stage.cluster, task=arn, reason="enough")
    assert stage.wait(arn)["stoppedReason"] == "enough"
    assert len(attempts(stage, by)) == 1


def test_deadlines_and_attempts_outlive_a_kill(own_server, own_stage):
    stage, by = own_stage, unique("nightly")
    arn = stage.run(stage.register(stage.container(SLEEPS)), tags=tags(timeout="6s", retries="1"), startedBy=by)
    stage.wait_running(arn)
    own_server.kill()
    own_server.start()
    stage.wait(arn, "STOPPING")
    own_server.kill()
    own_server.start()
    first, second = ended(stage, by, 2)
    assert all("longer than its longshore:timeout" in task["stoppedReason"] for task in (first, second))


def test_bad_tags_are_refused(stage):
    definition = stage.register(stage.container("exit 0"))
    for bad in (tags(timeout="soon"), tags(timeout="0s"), tags(retries="-1"), tags(retries="101")):
        refused(lambda bad=bad: stage.run(definition, tags=bad), "InvalidParameterException", bad[0]["key"])
    assert stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == []
