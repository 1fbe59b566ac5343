"""The commands for people."""

import json
import os
import signal
import socket
import subprocess

import boto3
import pytest
from support import image
from support.aws import Account
from support.server import ROOT, Server
from support.waiting import wait_until

AWS = ROOT / "target/venv/bin/aws"


def test_env_is_all_that_a_shell_needs(server, account):
    assert set(account.environment) >= {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY"}
    environment = {"PATH": os.environ["PATH"], **account.environment}
    done = subprocess.run([AWS, "sts", "get-caller-identity", "--query", "Account", "--output", "text"],
                          capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "000000000000", done.stderr
    as_json = json.loads(server.run("env", "--format", "json").stdout)
    assert as_json["AWS_ENDPOINT_URL"] == server.url


def test_api_has_all_of_ecs(server):
    table = json.loads(server.run("api", "--json").stdout)
    assert all(set(row) == {"service", "operation", "implemented"} for row in table)
    model = boto3.client("ecs", region_name="us-east-1").meta.service_model
    of = {row["operation"]: row["implemented"] for row in table if row["service"] == "ecs"}
    assert set(of) == set(model.operation_names) and len(of) == 88
    named = {
        "ecs": """CreateCluster DeleteCluster DescribeClusters ListClusters UpdateCluster UpdateClusterSettings
            RegisterTaskDefinition DeregisterTaskDefinition DeleteTaskDefinitions DescribeTaskDefinition
            ListTaskDefinitions ListTaskDefinitionFamilies RunTask StopTask DescribeTasks ListTasks CreateService
            UpdateService DeleteService DescribeServices ListServices RegisterContainerInstance
            DeregisterContainerInstance DescribeContainerInstances ListContainerInstances DiscoverPollEndpoint
            SubmitTaskStateChange SubmitContainerStateChange SubmitAttachmentStateChanges TagResource UntagResource
            ListTagsForResource""",
        "sts": "GetCallerIdentity",
        "logs": """CreateLogGroup CreateLogStream PutLogEvents GetLogEvents FilterLogEvents DescribeLogGroups
            DescribeLogStreams DeleteLogGroup""",
        "ecr": """GetAuthorizationToken CreateRepository DescribeRepositories DeleteRepository ListImages
            DescribeImages""",
    }
    there = {(row["service"], row["operation"]) for row in table if row["implemented"]}
    missing = [(service, name) for service, names in named.items() for name in names.split()
               if (service, name) not in there]
    assert missing == []
    assert "RunTask" in server.run("api").stdout



@pytest.mark.parametrize("code", [0, 1, 42])
def test_run_ends_as_the_container_does(server, busybox, code):
    done = server.run("run", busybox, "-e", "WHO=world", "--", "/bin/sh", "-c", f"echo hello $WHO; exit {code}",
                      check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == "hello world\n"


def test_run_says_why_it_could_not(server, busybox, account):
    missing = f"{server.host}/{account.repository()}:never"
    done = server.run("run", missing, check=False)
    assert done.returncode == 125 and "CannotPullContainer" in done.stderr
    done = server.run("run", busybox, "--", "/no/such/program", check=False)
    assert done.returncode == 127 and "/no/such/program" in done.stderr
    done = server.run("run", busybox, "--", "/etc/passwd", check=False)
    assert done.returncode == 126


def test_run_finds_a_repository_by_its_name(server, busybox):
    short = busybox.split("/", 1)[1]
    assert server.run("run", short, "--", "/bin/echo", "short").stdout == "short\n"


def test_run_stops_the_task_when_it_is_interrupted(server, busybox, account):
    command = server.command("run", busybox, "--name", "interrupted", "--", "/bin/sh", "-c",
                             "trap 'exit 0' TERM; echo ready; sleep 600 & wait")
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)
    family = {"cluster": "default", "family": "run-interrupted"}
    wait_until(lambda: not account.ecs.list_tasks(**family)["taskArns"], "the task to be stopped")


def test_ps_and_logs(server, stage):
    arn = stage.run_script("echo one; echo two; exec sleep 600", logged=True)
    short = arn.rsplit("/", 1)[1][:8]
    stage.wait_running(arn)
    shown = server.run("ps", "--cluster", stage.cluster).stdout
    assert short in shown and "RUNNING" in shown and stage.name in shown
    wait_until(lambda: server.run("logs", short, "--cluster", stage.cluster, check=False).stdout.count("\n") == 2,
               "two lines")
    assert [line.split()[-1] for line in
            server.run("logs", short, "--cluster", stage.cluster).stdout.splitlines()] == ["one", "two"]
    stage.ecs.stop_task(cluster=stage.cluster, task=arn, reason="done with it")
    stage.wait(arn)
    assert short not in server.run("ps", "--cluster", stage.cluster).stdout
    assert "done with it" in server.run("ps", "--all", "--cluster", stage.cluster).stdout
    assert server.run("logs", "ffffffff", "--cluster", stage.cluster, check=False).returncode == 1


def test_logs_follow(server, stage):
    name = stage.create_service(stage.register(stage.container(
        "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.3; done", logged=True)), 1)
    stage.wait_stable(name, 1)
    following = subprocess.Popen(server.command("logs", name, "-f", "--cluster", stage.cluster),
                                 stdout=subprocess.PIPE, text=True)
    seen = [following.stdout.readline().split()[-1] for _ in range(8)]
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=60)
    assert [int(number) for number in seen] == list(range(int(seen[0]), int(seen[0]) + 8))


def test_up_twice_says_that_it_runs(server):
    done = server.run("up", "--no-sample")
    assert server.url in done.stdout + done.stderr


def test_a_port_that_is_taken(tmp_path, server):
    other = Server("longshore-port-")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other.port))
        taken.listen()
        done = other.run("up", "--no-sample", check=False)
    assert done.returncode == 1 and str(other.port) in done.stderr
    other.down()
    assert other.leftovers() == []
    other.remove()


def test_usage_errors(server):
    assert server.run("nonsense", check=False).returncode == 2
    assert "up" in server.run("--help").stdout


@pytest.mark.long
def test_two_side_by_side(server, own_server, account, stage):
    own_server.start()
    other = Account(own_server)
    assert other.environment["AWS_SECRET_ACCESS_KEY"] != account.environment["AWS_SECRET_ACCESS_KEY"]
    other.push(image.busybox(), other.repository("shared-name"))
    assert own_server.run("run", "shared-name", "--", "/bin/echo", "other").stdout == "other\n"
    assert own_server.prefix != server.prefix
    here = stage.wait_running(stage.run_script("exec sleep 600"))
    own_server.down()
    assert stage.task(here["taskArn"])["lastStatus"] == "RUNNING", "the other's `down` is its own affair"
    assert own_server.down().returncode == 0, "down twice"


@pytest.mark.long
def test_the_front_door(own_server):
    """What `make up` does: detached, with the sample service, which answers; twice; then down."""
    shown = own_server.run("up", timeout=300).stdout
    try:
        own_server.prefix = own_server.find_prefix()
        account = Account(own_server)
        url = next(word.rstrip("/.,") for word in shown.split() if word.startswith("http://") and ":8080" in word)
        done = subprocess.run(["curl", "-sf", url], capture_output=True, text=True, timeout=60)
        assert "Hello from Longshore" in done.stdout, (shown, done)
        services = account.ecs.list_services()["serviceArns"]
        assert len(services) == 1
        tasks = account.ecs.list_tasks()["taskArns"]
        again = own_server.run("up", timeout=300).stdout
        assert url in again and account.ecs.list_tasks()["taskArns"] == tasks
        name = services[0].rsplit("/", 1)[1]
        assert "GET /" in own_server.run("logs", name).stdout
    finally:
        own_server.run("down", "--purge")
    assert own_server.leftovers() == [] and not own_server.data_dir.exists()
