"""kill -9 of the server is an ordinary event: tasks stay, what was acknowledged is there."""

import os
import signal

import pytest
from support import image, server
from support.aws import Account, Stage, address, unique
from support.host import fetch, pid_of
from support.waiting import wait_until

pytestmark = pytest.mark.long

SERVE = "echo still > /tmp/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /tmp & wait"


def runtime(task):
    return task["containers"][0]["runtimeId"]


def test_tasks_live_through_it(own_server, own_stage):
    stage = own_stage
    one = stage.wait_running(stage.run_script(SERVE))
    name = stage.create_service(stage.register(stage.container(SERVE), family=unique("fam")), 2)
    before = {task["taskArn"]: runtime(task) for task in stage.wait_stable(name, 2)}
    before[one["taskArn"]] = runtime(one)
    pids = {pid_of(each) for each in before.values()}
    wait_until(lambda: fetch(address(one)) == "still\n", "an answer")

    own_server.kill()
    assert fetch(address(one)) == "still\n", "answers while there is no server"
    own_server.start()

    for arn, its in before.items():
        task = stage.task(arn)
        assert (task["lastStatus"], runtime(task)) == ("RUNNING", its)
    assert {pid_of(each) for each in before.values()} == pids
    assert fetch(address(one)) == "still\n"
    # It is the same still when everything has settled: nothing was started beside.
    stage.wait_stable(name, 2)
    listed = stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"]
    assert set(listed) == set(before)
    # And they are under control again.
    stage.ecs.stop_task(cluster=stage.cluster, task=one["taskArn"])
    assert stage.wait(one["taskArn"])["containers"][0]["exitCode"] == 0
    os.kill(pid_of(next(its for arn, its in before.items() if arn != one["taskArn"])), signal.SIGKILL)
    wait_until(lambda: len([task for task in stage.running(name) if task["taskArn"] not in before]) == 1,
               "the service to replace a task that died")


def keeps_lines():
    """Whether the shim keeps a container's pipe when both the container and its reader are gone. runc's closes it, and
    with it go the lines that nobody has read."""
    return server.RUNTIME is None


def test_a_task_that_ends_meanwhile_has_its_exit_code_and_its_last_lines(own_server, own_stage):
    stage = own_stage
    script = "echo before; until test -e /tmp/go; do sleep 0.1; done; echo while nobody was there; exit 33"
    arn = stage.run_script(script, logged=True)
    pid = pid_of(runtime(stage.wait_running(arn)))
    own_server.kill()
    with open(f"/proc/{pid}/root/tmp/go", "w"):
        pass
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the task to end")
    own_server.start()
    task = stage.wait(arn)
    assert task["containers"][0]["exitCode"] == 33
    assert task["stopCode"] == "EssentialContainerExited"
    lines = stage.lines(task)
    # What the killed agent had sent without seeing the answer may be there twice.
    expected = ["before", "while nobody was there"] if keeps_lines() else ["before"]
    assert list(dict.fromkeys(lines))[:len(expected)] == expected and len(lines) <= 3


def test_lines_written_meanwhile_arrive(own_server, own_stage):
    stage = own_stage
    arn = stage.run_script("i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done", logged=True)
    task = stage.wait_running(arn)
    wait_until(lambda: count(stage, task) > 5, "some lines")
    for _ in range(3):
        own_server.kill()
        own_server.start()
    reached = count(stage, task)
    wait_until(lambda: count(stage, task) > reached + 5, "more lines")
    stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    numbers = [int(line) for line in stage.lines(stage.wait(arn))]
    # A batch that was sent, but whose answer the killed agent never saw, is sent again.
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1)), "none is missing"
    backwards = [at for at in range(1, len(numbers)) if numbers[at] <= numbers[at - 1]]
    assert len(backwards) <= 3, "at most one batch is there twice for each kill"


def count(stage, task):
    try:
        return len(stage.lines(task))
    except stage.logs.exceptions.ResourceNotFoundException:
        return 0


def test_everything_acknowledged_is_there(own_server, own_stage):
    stage = own_stage
    clusters = [unique("kept") for _ in range(20)]
    for name in clusters:
        stage.ecs.create_cluster(clusterName=name, tags=[{"key": "a", "value": name}])
    arn = stage.register(stage.container("true"))
    stage.register(stage.container("true"))
    stage.ecs.deregister_task_definition(taskDefinition=arn)
    finished = stage.finish("echo kept; exit 4", logged=True)
    repository = stage.account.repository()
    service = stage.create_service(stage.name, 0)
    token = unique("token")
    sleeper = stage.register(stage.container("exec sleep 600"), family=unique("fam"))
    task = stage.run(sleeper, clientToken=token)

    own_server.kill()
    own_server.start()

    found = stage.ecs.describe_clusters(clusters=clusters, include=["TAGS"])["clusters"]
    assert {cluster["clusterName"]: cluster["tags"][0]["value"] for cluster in found} == {n: n for n in clusters}
    assert stage.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"] == "INACTIVE"
    assert stage.register(stage.container("true")).rsplit(":", 1)[1] == "4"
    again = stage.task(finished["taskArn"])
    assert again == finished and stage.lines(again) == ["kept"]
    assert stage.service(service)["status"] == "ACTIVE"
    assert stage.ecs.describe_clusters()["clusters"][0]["clusterName"] == "default"
    stage.account.ecr.describe_repositories(repositoryNames=[repository])
    assert stage.run(sleeper, clientToken=token) == task, "tokens are remembered"


def test_killed_in_the_middle_of_launches(own_server, own_stage):
    """Every task that was acknowledged runs in the end, each once."""
    stage = own_stage
    definition = stage.register(stage.container("exec sleep 600"))
    arns = stage.run(definition, count=10)
    own_server.kill()
    own_server.start()
    arns += stage.run(definition, count=5)
    tasks = [stage.wait_running(arn) for arn in arns]
    assert len({address(task) for task in tasks}) == len(tasks)
    assert len({runtime(task) for task in tasks}) == len(tasks)
    for task in tasks:
        pid_of(runtime(task))
    for arn in arns[:3]:
        stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    own_server.kill()
    own_server.start()
    for arn in arns[:3]:
        assert stage.wait(arn)["stopCode"] == "UserInitiated"


def test_asked_to_end_it_leaves_the_tasks_alone(own_server, own_stage):
    """SIGTERM, as from a supervisor that updates the program: only `down` stops tasks."""
    stage = own_stage
    task = stage.wait_running(stage.run_script(SERVE))
    wait_until(lambda: fetch(address(task)) == "still\n", "an answer")
    own_server.process.terminate()
    assert own_server.process.wait(60) == 0
    own_server.process = None
    assert fetch(address(task)) == "still\n"
    own_server.start()
    assert runtime(stage.task(task["taskArn"])) == runtime(task)


def test_stopped_tasks_are_forgotten_when_their_time_is_over(own_server):
    own_server.start("--stopped-task-retention", "1s")
    account = Account(own_server)
    stage = Stage(account, account.push(image.busybox()))
    arn = stage.run_script("exit 3")
    wait_until(lambda: stage.ecs.describe_tasks(cluster=stage.cluster, tasks=[arn])["failures"], "it to be forgotten")
    assert stage.ecs.list_tasks(cluster=stage.cluster, desiredStatus="STOPPED")["taskArns"] == []


def test_down_and_up_again(own_server, own_stage):
    """`down` keeps the state: services' tasks are started again, others are STOPPED."""
    stage = own_stage
    name = stage.create_service(stage.register(stage.container(SERVE)), 1)
    before = stage.wait_stable(name, 1)[0]
    alone = stage.run(stage.name)
    stage.wait_running(alone)
    own_server.down()
    assert own_server.leftovers() == []
    own_server.start()
    after = stage.wait_stable(name, 1)[0]
    assert after["taskArn"] != before["taskArn"]
    wait_until(lambda: fetch(address(after)) == "still\n", "an answer")
    assert stage.task(alone)["lastStatus"] == "STOPPED"


def test_down_after_kill(own_server, own_stage):
    """The next start knows how each of the tasks ended, and doesn't run one again."""
    stage = own_stage
    running = stage.wait_running(stage.run_script(SERVE, logged=True))
    ended = stage.wait_running(stage.run_script("until test -e /tmp/go; do sleep 0.1; done; echo gone; exit 33",
                                                logged=True))
    pid = pid_of(runtime(ended))
    own_server.kill()
    with open(f"/proc/{pid}/root/tmp/go", "w"):
        pass
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the task to end")
    assert own_server.processes() != [], "the other task and its shim live on"
    own_server.down()
    assert own_server.leftovers() == []
    assert fetch(address(running)) is None
    own_server.start()
    for task, code in (running, 137), (ended, 33):
        stopped = stage.wait(task["taskArn"])
        assert stopped["containers"][0]["exitCode"] == code
        assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "Longshore was taken down")
    if keeps_lines():
        wait_until(lambda: count(stage, ended), "what it wrote while there was no server")
        assert stage.lines(ended) == ["gone"]
    assert stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == []
