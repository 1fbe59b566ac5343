"""`longshore stop` and `start`: a service without tasks for a while."""

from support.aws import Account, Stage
from support.waiting import wait_until

SCRIPT = "trap 'exit 0' TERM; sleep 600 & wait"


def halt(server, stage, word, name, check=True):
    return server.run(word, "--cluster", stage.cluster, name, check=check)


def tags(stage, name):
    return {tag["key"]: tag["value"] for tag in stage.service(name).get("tags", [])}


def test_it_comes_back_as_it_was(server, stage):
    name = stage.create_service(stage.register(stage.container(SCRIPT)), 2, tags=[{"key": "team", "value": "web"}])
    stage.wait_stable(name, 2)
    before = stage.service(name)
    assert "stops its 2 tasks" in halt(server, stage, "stop", name).stdout
    stage.wait_stable(name, 0)
    assert tags(stage, name) == {"team": "web", "longshore:desired-count": "2"}
    assert "is stopped; `longshore start" in halt(server, stage, "stop", name).stdout
    arn = stage.service(name)["serviceArn"]
    assert "starts 2 tasks" in server.run("start", arn).stdout, "an ARN says the cluster"
    stage.wait_stable(name, 2)
    assert tags(stage, name) == {"team": "web"}
    assert "isn't stopped: 2 tasks are wanted" in halt(server, stage, "start", name).stdout
    after = stage.service(name)
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"], "it kept its place"
    assert after["currentServiceDeployment"] == before["currentServiceDeployment"]


def test_what_is_not_known_is_said(server, stage):
    name = stage.create_service(stage.register(stage.container(SCRIPT)), 0)
    assert "has no tasks to stop" in halt(server, stage, "stop", name).stdout
    told = halt(server, stage, "start", name, check=False)
    assert told.returncode == 1 and "wasn't stopped by `longshore stop`" in told.stderr
    told = halt(server, stage, "stop", "none", check=False)
    assert told.returncode == 1 and f"the cluster {stage.cluster} has no service none" in told.stderr


def test_the_count_outlives_a_kill(own_server, own_stage):
    name = own_stage.create_service(own_stage.register(own_stage.container(SCRIPT)), 1)
    own_stage.wait_stable(name, 1)
    halt(own_server, own_stage, "stop", name)
    own_server.kill()
    own_server.start()
    stage = Stage(Account(own_server), own_stage.image)
    stage.cluster, stage.name, stage.group = own_stage.cluster, own_stage.name, own_stage.group
    wait_until(lambda: not stage.tasks_of(name), "the task to stop")
    halt(own_server, stage, "start", name)
    stage.wait_stable(name, 1)
