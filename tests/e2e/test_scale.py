"""Many at once: nothing is lost, nothing doubled, nothing left."""

import collections
import concurrent.futures
import pathlib
import re

import pytest
from support.aws import address
from support.host import pid_of
from support.waiting import wait_until


def room(mib):
    """How many tasks of this size the machine can promise, at most 30."""
    total = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) // 1024
    return max(4, min(30, total * 3 // 4 // mib))


@pytest.mark.long
def test_a_large_service(stage, server):
    count = room(512)
    name = stage.create_service(stage.register(stage.container("exec sleep 600")), count)
    tasks = stage.wait_stable(name, count)
    assert len({address(task) for task in tasks}) == len({task["taskArn"] for task in tasks}) == count
    pids = {pid_of(task["containers"][0]["runtimeId"]) for task in tasks}
    assert len(pids) == count
    stage.ecs.update_service(cluster=stage.cluster, service=name, desiredCount=0)
    stage.wait_stable(name, 0)
    gone = {task["taskArn"].rsplit("/", 1)[1] for task in tasks}
    wait_until(lambda: not any(task in line for line in server.leftovers() for task in gone),
               "every mount, cgroup and process of theirs to go")


@pytest.mark.long
def test_calls_from_many_threads(stage):
    definition = stage.register(stage.container("exit 5"))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        arns = list(threads.map(lambda n: stage.run(definition, startedBy=f"thread-{n % 4}"), range(24)))
    assert len(set(arns)) == 24
    tasks = [stage.wait(arn) for arn in arns]
    assert collections.Counter(task["containers"][0]["exitCode"] for task in tasks) == {5: 24}
    assert collections.Counter(task["startedBy"] for task in tasks) == {f"thread-{n}": 6 for n in range(4)}


def test_one_token_from_many_threads(stage):
    """All get the same task."""
    definition = stage.register(stage.container("exec sleep 600"))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        arns = set(threads.map(lambda _: stage.run(definition, clientToken="once"), range(8)))
    assert len(arns) == 1 and stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == list(arns)


def test_revisions_from_many_threads(stage):
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        arns = list(threads.map(lambda _: stage.register(stage.container("true")), range(16)))
    assert sorted(int(arn.rsplit(":", 1)[1]) for arn in arns) == list(range(1, 17))
