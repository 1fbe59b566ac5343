"""`longshore plan`: what an update would do, and that it is what happens then."""

import json
import os
import re
import subprocess

from support.aws import unique
from support.server import bin_dir

SCRIPT = "trap 'exit 0' TERM; sleep 600 & wait"


def plan(server, stage, name, *flags, check=True):
    return server.run("plan", "--cluster", stage.cluster, "--service", name, *flags, check=check)


def done(stage, name):
    """Tasks that the service's events tell to have been started and stopped."""
    told = "\n".join(event["message"] for event in stage.service(name)["events"])
    count = lambda pattern: sum(map(int, re.findall(pattern, told)))  # noqa: E731
    return count(r"has started (\d+) tasks"), count(r"has stopped (\d+) running tasks")


def test_what_it_says_is_what_then_happens(server, stage):
    first, second = (stage.register(stage.container(SCRIPT), family=f"{stage.name}-{word}") for word in ("old", "new"))
    name = stage.create_service(first, 3, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 150})
    stage.wait_stable(name, 3)
    before, was = stage.service(name), done(stage, name)
    flags = ["--task-definition", second, "--desired-count", "4"]
    said = json.loads(plan(server, stage, name, *flags, "--json").stdout)
    text = plan(server, stage, name, *flags).stdout
    assert text.strip() == said["text"] and said["completes"]
    assert f"{name} (cluster {stage.cluster}) goes from {stage.name}-old:1 to {stage.name}-new:1" in text
    assert "never fewer than 2 healthy, never more than 6 at once" in text
    assert stage.service(name) == before, "nothing was changed"
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=second, desiredCount=4)
    stage.wait_stable(name, 4)
    started, stopped = done(stage, name)
    assert (started - was[0], stopped - was[1]) == (said["starts"], said["stops"]) == (4, 3)


def test_where_it_would_go_no_further(server, stage):
    name = stage.create_service(stage.register(stage.container(SCRIPT)), 1)
    stage.wait_stable(name, 1)
    huge = stage.register(stage.container(SCRIPT), family=f"{stage.name}-huge", cpu="16384", memory="122880")
    told = plan(server, stage, name, "--task-definition", huge, "--desired-count", "40", check=False)
    assert told.returncode == 1 and "It goes no further: there is no room for " in told.stdout, told
    assert len(stage.service(name)["deployments"]) == 1


def test_refusals_are_those_of_the_update(server, stage):
    name = stage.create_service(stage.register(stage.container(SCRIPT)), 0)
    for of, flags, words in [
        ("none", [], "ServiceNotFoundException: Service not found."),
        (name, ["--task-definition", unique("none")], "ClientException: TaskDefinition not found."),
        (name, ["--desired-count", "5001"], "desiredCount must be between 0 and 5000"),
    ]:
        told = plan(server, stage, of, *flags, check=False)
        assert told.returncode == 1 and words in told.stderr, told


def test_from_elsewhere_with_keys_alone(server, stage, tmp_path):
    name = stage.create_service(stage.register(stage.container(SCRIPT)), 0)
    environment = {"PATH": os.environ["PATH"], **server.environment()}
    command = [bin_dir() / "longshore", "plan", "--cluster", stage.cluster, "--service", name, "--force-new-deployment"]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0 and "is deployed anew as" in told.stdout, told
    wrong = {**environment, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    told = subprocess.run(command, cwd=tmp_path, env=wrong, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "403" in told.stderr, told
