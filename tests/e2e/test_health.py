"""Health checks: run inside real containers, told to DescribeTasks, waited for by dependants, acted on by services."""

import os

import pytest
from support.aws import unique
from support.host import pid_of
from support.waiting import wait_until


def check(command, **fields):
    return {"command": command if isinstance(command, list) else ["CMD-SHELL", command],
            "interval": 5, "timeout": 2, "retries": 1, **fields}


def health(task):
    return {"": task["healthStatus"], **{one["name"]: one["healthStatus"] for one in task["containers"]}}


def wait_health(stage, arn, **wanted):
    def there():
        wait_health.seen = health(stage.task(arn))
        return all(wait_health.seen["" if name == "task" else name] == status for name, status in wanted.items())
    wait_until(there, f"{arn} to be {wanted}")
    return wait_health.seen


def put(task, path, container=0):
    """Makes an empty file inside a running container."""
    with open(f"/proc/{pid_of(task['containers'][container]['runtimeId'])}/root{path}", "w"):
        pass


def remove(task, path):
    os.unlink(f"/proc/{pid_of(task['containers'][0]['runtimeId'])}/root{path}")


def test_each_container_and_the_task(stage):
    """And a standalone task goes on whatever they say."""
    app = stage.container("exec sleep 600", healthCheck=check("test -e /tmp/good"))
    side = stage.container("exec sleep 600", name="side", essential=False, healthCheck=check(["CMD", "/bin/false"]))
    plain = stage.container("exec sleep 600", name="plain")
    arn = stage.run(stage.register(app, side, plain))
    task = stage.wait_running(arn)
    assert health(task)["plain"] == "UNKNOWN"
    put(task, "/tmp/good")
    # What isn't essential has no say.
    seen = wait_health(stage, arn, app="HEALTHY", side="UNHEALTHY", task="HEALTHY")
    assert seen["plain"] == "UNKNOWN"
    remove(task, "/tmp/good")
    wait_health(stage, arn, app="UNHEALTHY", task="UNHEALTHY")
    task = stage.task(arn)
    assert (task["lastStatus"], task["desiredStatus"]) == ("RUNNING", "RUNNING")
    put(task, "/tmp/good")
    wait_health(stage, arn, app="HEALTHY", task="HEALTHY")


def test_a_check_is_a_process_of_the_container(stage):
    """Its user, environment, directory, cgroup and walls are the container's."""
    look = ("echo $(id -u):$(id -g) $(pwd) $WORD; grep -E '^(Seccomp|CapEff|CapBnd):' /proc/self/status; "
            "cat /proc/self/cgroup; for n in pid net mnt ipc uts; do readlink /proc/self/ns/$n; done")
    script = f"""
{{ {look}; }} > /tmp/own
until [ -e /tmp/done ]; do sleep 0.05; done
diff /tmp/own /tmp/seen && cat /tmp/seen | head -n 1
"""
    container = stage.container(
        script, logged=True, user="alice", workingDirectory="/home/alice",
        environment=[{"name": "WORD", "value": "hello"}],
        healthCheck=check(f"{{ {look}; }} > /tmp/seen && touch /tmp/done"))
    task = stage.wait(stage.run(stage.register(container)))
    assert stage.lines(task) == ["1234:1235 /home/alice hello"]
    assert task["containers"][0]["exitCode"] == 0


def test_a_check_that_hangs_has_failed_and_leaves_nothing(stage):
    hangs = check("sleep 6543 & sleep 6544; true")
    arn = stage.run(stage.register(stage.container("exec sleep 600", healthCheck=hangs)))
    wait_health(stage, arn, app="UNHEALTHY", task="UNHEALTHY")
    runtime = stage.task(arn)["containers"][0]["runtimeId"]
    def hanging():
        return [line for line in commands(runtime) if "sleep 654" in line]
    # A next run may have begun; the ones before it are gone.
    wait_until(lambda: len(hanging()) <= 3, "the killed checks to be gone")


def commands(runtime):
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/cgroup") as groups, open(f"/proc/{entry.name}/cmdline") as line:
                    if runtime in groups.read():
                        found.append(line.read().replace("\0", " ").strip())
            except OSError:
                pass
    return found


def test_depends_on_healthy(stage):
    app = stage.container("echo app", logged=True, dependsOn=[{"containerName": "db", "condition": "HEALTHY"}])
    db = stage.container("sleep 1; touch /tmp/ready; echo ready; exec sleep 600", name="db", logged=True,
                         healthCheck=check("test -e /tmp/ready"))
    task = stage.wait(stage.run(stage.register(app, db)))
    assert stage.lines(task) == ["app"]
    first = lambda name: stage.logs.get_log_events(
        logGroupName=stage.group, logStreamName=stage.stream(task, name))["events"][0]["timestamp"]
    assert first("db") <= first("app")


def test_depends_on_healthy_and_its_patience(stage):
    app = stage.container("echo never", dependsOn=[{"containerName": "db", "condition": "HEALTHY"}])
    db = stage.container("exec sleep 600", name="db", startTimeout=2, healthCheck=check("false"))
    task = stage.wait(stage.run(stage.register(app, db)))
    assert task["stopCode"] == "TaskFailedToStart" and "startTimeout" in task["stoppedReason"], task
    assert "startedAt" not in task


def test_a_service_waits_for_healthy_and_replaces_the_unhealthy(stage):
    container = stage.container("trap 'exit 0' TERM; while :; do sleep 0.1; done",
                                healthCheck=check("test -e /tmp/good"))
    name = stage.create_service(stage.register(container))
    first = wait_until(lambda: stage.running(name), "its task to run")[0]
    service = stage.service(name)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert not any("steady" in event["message"] for event in service["events"])
    put(first, "/tmp/good")
    stage.wait_stable(name, 1)
    assert health(stage.task(first["taskArn"]))[""] == "HEALTHY"

    remove(first, "/tmp/good")
    # First a replacement, and only when that is healthy the other goes.
    others = lambda: [task for task in stage.running(name) if task["taskArn"] != first["taskArn"]]
    second = wait_until(others, "a replacement")[0]
    assert stage.task(first["taskArn"])["desiredStatus"] == "RUNNING"
    put(second, "/tmp/good")
    task = stage.wait(first["taskArn"])
    assert (task["stopCode"], task["stoppedReason"]) \
        == ("ServiceSchedulerInitiated", "Task failed container health checks")
    stage.wait_stable(name, 1)
    told = [event["message"] for event in stage.service(name)["events"]]
    task_id = first["taskArn"].rsplit("/", 1)[1]
    assert f"(service {name}) (task {task_id}) failed container health checks." in told


@pytest.mark.long
def test_checks_go_on_after_a_kill(own_server, own_stage):
    stage = own_stage
    arn = stage.run_script("touch /tmp/good; exec sleep 600", healthCheck=check("test -e /tmp/good"))
    wait_health(stage, arn, app="HEALTHY", task="HEALTHY")
    task = stage.task(arn)
    own_server.kill()
    own_server.start()
    assert health(stage.task(arn)) == {"": "HEALTHY", "app": "HEALTHY"}
    remove(task, "/tmp/good")
    wait_health(stage, arn, app="UNHEALTHY", task="UNHEALTHY")


def test_a_restart_policy_leaves_alone_what_ends_too_soon(stage):
    """Restarts themselves need a minute here; the agent's own tests have shorter ones."""
    policy = {"enabled": True, "ignoredExitCodes": [3], "restartAttemptPeriod": 60}
    definition = stage.register(stage.container("exit 5", restartPolicy=policy), family=unique("fam"))
    told = stage.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    assert told["containerDefinitions"][0]["restartPolicy"] == policy
    task = stage.wait(stage.run(definition))
    assert (task["stopCode"], task["containers"][0]["exitCode"]) == ("EssentialContainerExited", 5)
