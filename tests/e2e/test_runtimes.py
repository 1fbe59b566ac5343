"""Which shim runs a task: the agent's choice, and the task's by a capacity provider."""

import os
import pathlib
import subprocess

import pytest
from support.aws import NETWORK, refused
from support.host import pid_of
from support.server import Server, bin_dir
from support.waiting import wait_until

OURS, RUNCS = "containerd-shim-longshore-v1", "containerd-shim-runc-v2"


def shim_of(task):
    """The program of the process that a task's container is a child of."""
    pid = pid_of(task["containers"][0]["runtimeId"])
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    parent = next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))
    return os.path.basename(pathlib.Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")[0].decode())


@pytest.fixture
def other_agent(own_server):
    """A second agent of the pool, as on another machine: its own directory, subnet and shim."""
    agent = Server("longshore-agent-")

    def start(*arguments):
        exported = own_server.run("env", "--agent", "--format", "docker").stdout.splitlines()
        environment = {**os.environ, **dict(line.split("=", 1) for line in exported)}
        with open(agent.output, "ab") as output:
            agent.process = subprocess.Popen(
                [str(bin_dir() / "longshore"), "--data-dir", str(agent.data_dir), "agent", "--serverless",
                 "--endpoint", own_server.url, *arguments],
                env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        wait_until(lambda: '"connected"' in agent.output.read_text(), "the agent to be connected")
        agent.prefix = agent.find_prefix()
    yield start
    agent.down()
    left = agent.leftovers()
    assert left == [], "\n".join(left)
    agent.remove()


def test_a_pool_on_another_shim(own_server, own_stage, other_agent):
    stage = own_stage
    make = stage.ecs.create_cluster
    refused(lambda: make(clusterName="walls", capacityProviders=["walled"]), "InvalidParameterException", "walled")
    other_agent("--capacity-provider", "walled", "--runtime", "io.containerd.runc.v2")
    stage.cluster = make(clusterName="walls", capacityProviders=["FARGATE", "FARGATE_SPOT", "walled"])["cluster"]["clusterName"]
    definition = stage.register(stage.container("exec sleep 600"))

    def run(**how):
        answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, networkConfiguration=NETWORK, **how)
        assert answer["failures"] == []
        return stage.wait_running(answer["tasks"][0]["taskArn"])
    walled = run(capacityProviderStrategy=[{"capacityProvider": "walled"}])
    assert walled["capacityProviderName"] == "walled" and shim_of(walled) == RUNCS
    for how in ({"launchType": "FARGATE"}, {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
                {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}):
        assert shim_of(run(**how)) == OURS

    # A service shares its tasks out between the two, each on its own shim.
    stage.ecs.create_service(
        cluster=stage.cluster, serviceName="both", taskDefinition=definition, desiredCount=4,
        networkConfiguration=NETWORK, capacityProviderStrategy=[{"capacityProvider": "walled", "weight": 1},
                                                                {"capacityProvider": "FARGATE", "weight": 1}])
    wait_until(lambda: len(stage.running("both")) == 4, "four tasks")
    assert sorted((task["capacityProviderName"], shim_of(task)) for task in stage.running("both")) \
        == [("FARGATE", OURS)] * 2 + [("walled", RUNCS)] * 2
