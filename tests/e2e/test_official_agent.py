"""Amazon's own ECS agent, unmodified, as it was seen to speak: joining, tasks, telemetry, and coming back. The stand-in is
support/officialagent.py; docs/official-agent.md tells what was tried with the real one."""

import base64
import json
import time

import pytest
from botocore.exceptions import ClientError
from support.aws import refused
from support.image import MANIFEST, Pusher
from support.officialagent import OfficialAgent
from support.waiting import wait_until

@pytest.fixture
def agents(server, stage):
    """Makes agents that end with the test."""
    made = []

    def make(play=None):
        made.append(OfficialAgent(server, stage, play))
        return made[-1]
    yield make
    for agent in made:
        agent.end()


@pytest.fixture
def agent(agents):
    return agents().start()


def define(stage, *containers, **fields):
    containers = containers or [stage.container(memory=64)]
    return stage.ecs.register_task_definition(family=stage.name, containerDefinitions=[
        {"memory": 64, **container} for container in containers], requiresCompatibilities=["EXTERNAL"],
        **fields)["taskDefinition"]["taskDefinitionArn"]


def run(stage, definition=None, **fields):
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition or define(stage),
                                **{"launchType": "EXTERNAL", **fields})
    assert answer["failures"] == [], answer["failures"]
    return answer["tasks"][0]["taskArn"]


def failure(stage, definition):
    answer = stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="EXTERNAL")
    assert answer["tasks"] == []
    return answer["failures"][0]["reason"]


def told(agent, arn):
    """The task as the newest payload describes it."""
    named = [task for payload in agent.of("PayloadMessage") for task in payload["tasks"] if task["arn"] == arn]
    return named[-1] if named else None


# Joining ----------------------------------------------------------------------------------------


def test_it_registers_and_comes_back_as_the_same_instance(stage, agents):
    agent = agents().start(custom=[("rack", "7")])
    assert agent.instance()["versionInfo"] == {
        "agentVersion": "1.105.1", "agentHash": "a8b3e7d3", "dockerVersion": "DockerVersion: 20.10.24+dfsg1"}
    first = agent.arn
    agent.hang_up()
    wait_until(lambda: not agent.instance()["agentConnected"], "the agent to be missed")
    agent.forget()
    # Its machine has more memory now. What its owner had it say of itself is said with the first registration alone.
    agent.start(memory=8192, custom=[("rack", "8")])
    instance = agent.instance()
    assert agent.arn == first
    assert {r["name"]: r["integerValue"] for r in instance["registeredResources"]}["MEMORY"] == 8192
    assert {"name": "rack", "value": "7"} in [{k: a[k] for k in ("name", "value") if k in a} for a in instance["attributes"]]
    assert instance["versionInfo"]["agentVersion"] == "1.105.1"
    listed = stage.ecs.list_container_instances(cluster=stage.cluster, filter="attribute:rack == 7")
    assert listed["containerInstanceArns"] == [first]
    refused(lambda: stage.ecs.update_container_agent(cluster=stage.cluster, containerInstance=first),
            "NoUpdateAvailableException")


def test_the_cluster_goes_by_its_arn_too(stage, agents):
    agent = agents().register()
    arn = stage.ecs.describe_clusters(clusters=[stage.cluster])["clusters"][0]["clusterArn"]
    agent.cluster = arn
    assert agent.connect().status == 101
    task = run(stage)
    stage.wait_running(task)


def test_one_that_was_deregistered_is_told_so(stage, agent):
    task = run(stage)
    stage.wait_running(task)
    refused(lambda: stage.ecs.deregister_container_instance(cluster=stage.cluster, containerInstance=agent.arn),
            "InvalidParameterException", "Found running tasks on the instance.")
    stage.ecs.deregister_container_instance(cluster=stage.cluster, containerInstance=agent.arn, force=True)
    assert stage.task(task)["stoppedReason"] == "Container instance deregistration forced by user"
    # The session ends, and the next is refused by the name that lets the agent rest for an hour.
    wait_until(lambda: agent.acs.stream.closed or agent.acs.receive() is None, "the session to end")
    answer = agent.connect()
    assert answer.status == 400 and "InactiveInstanceException" in json.loads(answer.refusal)


def test_another_that_says_it_is_the_same_is_refused_while_the_first_answers(agent, agents):
    copy = agents()
    copy.arn = agent.arn
    answer = copy.connect()
    assert answer.status == 400 and "connected and answers" in answer.refusal
    # It was asked by a heartbeat, which the official agent acknowledges.
    assert agent.of("HeartbeatMessage") and agent.instance()["agentConnected"]


# Tasks ------------------------------------------------------------------------------------------


def test_a_payload_is_in_the_agent_s_own_shape(server, stage, agent):
    container = {
        **stage.container("exec sleep 1"), "cpu": 10, "memory": 100, "memoryReservation": 50,
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "links": ["db:database"],
        "portMappings": [{"containerPort": 80}, {"containerPort": 81, "hostPort": 18081},
                         {"containerPortRange": "9000-9002"}, {"containerPort": 53, "hostPort": 18053, "protocol": "udp"}],
        "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}], "restartPolicy": {"enabled": True},
        "ulimits": [{"name": "nofile", "softLimit": 100, "hardLimit": 200}], "privileged": False,
        "linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}, "initProcessEnabled": True,
                            "tmpfs": [{"containerPath": "/t", "size": 8, "mountOptions": ["noexec"]}]},
        "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1m"}},
        "mountPoints": [{"sourceVolume": "own", "containerPath": "/own"}]}
    db = {**stage.container("exec sleep 1", name="db", stopTimeout=7),
          "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5}}
    definition = define(stage, container, db, networkMode="bridge", cpu="512", memory="256", volumes=[
        {"name": "own", "host": {}}, {"name": "there", "host": {"sourcePath": "/srv"}},
        {"name": "kept", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local"}}])
    arn = run(stage, definition, overrides={"containerOverrides": [
        {"name": "app", "memory": 120, "environment": [{"name": "B", "value": "3"}]}]})
    task = wait_until(lambda: told(agent, arn), "the task to come")
    assert (task["cpu"], task["memory"], task["version"], task["launchType"]) == (0.5, 256, "1", "EXTERNAL")
    app, other = sorted(task["containers"], key=lambda c: c["name"])
    assert (app["cpu"], app["memory"], app["environment"]) == (10, 120, {"A": "1", "B": "3"})
    assert app.get("overrides") is None, "all are merged here"
    assert app["links"] == ["db:database"] and app["dependsOn"] == [{"containerName": "db", "condition": "HEALTHY"}]
    assert app["restartPolicy"]["enabled"] and other["stopTimeout"] == 7
    ports = [(p.get("containerPort"), p.get("hostPort", 0), p.get("containerPortRange")) for p in app["portMappings"]]
    assert ports == [(80, 0, None), (81, 18081, None), (None, 0, "9000-9002"), (53, 18053, None)]
    host = json.loads(app["dockerConfig"]["hostConfig"])
    assert host["NetworkMode"] == "bridge" and host["CapAdd"] == ["NET_ADMIN"] and host["Init"] is True
    assert host["Tmpfs"] == {"/t": "noexec,size=8388608"} and host["MemoryReservation"] == 50 << 20
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}
    # `Init` came with version 1.25 of Docker's API, health checks with 1.24: of an older one Docker passes them over.
    assert app["dockerConfig"]["version"] == "1.25"
    assert other["healthCheckType"] == "docker" and json.loads(other["dockerConfig"]["config"])["Healthcheck"]
    assert [(v["name"], v["type"]) for v in task["volumes"]] == [("own", "host"), ("there", "host"), ("kept", "docker")]
    # Our registry goes by the address that the agent has, and the password is to be had there.
    assert app["image"] == stage.image
    assert app["registryAuthentication"] == {"type": "ecr", "ecrAuthData": {
        "registryId": stage.account.account_id(), "region": stage.account.region, "endpointOverride": server.url,
        "useExecutionRole": False}}


@pytest.mark.parametrize("kind", ["EC2", "EXTERNAL"])
def test_a_task_runs_is_stopped_and_says_how_it_ended(stage, agents, kind):
    bindings = [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"},
                {"bindIP": "0.0.0.0", "containerPortRange": "9000-9002", "hostPortRange": "32770-32772", "protocol": "tcp"}]

    def play(agent, task):
        containers = [agent.container(c, "RUNNING", networkBindings=bindings) for c in task["containers"]]
        agent.submit(task["arn"], "RUNNING", containers, pullStartedAt=time.time(), pullStoppedAt=time.time())
    agent = agents(play).start()
    definition = stage.ecs.register_task_definition(family=stage.name, networkMode="bridge", containerDefinitions=[
        {**stage.container(), "memory": 64, "portMappings": [
            {"containerPort": 80}, {"containerPortRange": "9000-9002"}]}])["taskDefinition"]["taskDefinitionArn"]
    task = stage.wait_running(run(stage, definition, launchType=kind))
    assert task["containers"][0]["networkBindings"] == bindings
    assert task["containers"][0]["imageDigest"].startswith("sha256:") and task["containers"][0]["runtimeId"]
    assert task["pullStartedAt"] <= task["startedAt"]
    stage.ecs.stop_task(cluster=stage.cluster, task=task["taskArn"], reason="enough")
    task = stage.wait(task["taskArn"])
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 143
    assert [payload for payload in agent.of("PayloadMessage") if payload["tasks"][0]["desiredStatus"] == "STOPPED"]


def test_one_report_may_hold_several_of_a_container(stage, agents):
    def play(agent, task):
        init, main = sorted(task["containers"], key=lambda c: c["name"] != "init")
        agent.submit(task["arn"], "RUNNING", [
            # A container that has ended when its RUNNING is sent has its exit code there already.
            agent.container(init, "RUNNING", exitCode=0), agent.container(init, "STOPPED", exitCode=0),
            agent.container(main, "RUNNING")])
    agents(play).start()
    init = {**stage.container(name="init"), "essential": False}
    main = {**stage.container(), "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]}
    task = stage.wait_running(run(stage, define(stage, init, main)))
    states = {c["name"]: (c["lastStatus"], c.get("exitCode")) for c in task["containers"]}
    assert states == {"init": ("STOPPED", 0), "app": ("RUNNING", None)}


PULL = "CannotPullContainerError: Error response from daemon: manifest for nothing:1 not found"
OOM = "OutOfMemoryError: Container killed due to memory usage"
UNREADABLE = "UnrecogniedTaskError: Error loading task - unrecognized volume type"


@pytest.mark.parametrize("reason,exit_code,code,words", [
    (PULL, None, "TaskFailedToStart", PULL),
    (OOM, 137, "EssentialContainerExited", "Essential container in task exited"),
    (None, 3, "EssentialContainerExited", "Essential container in task exited"),
])
def test_why_a_task_stopped_is_composed_here(stage, agents, reason, exit_code, code, words):
    def play(agent, task):
        if exit_code is not None:
            agent.run(task)
        told = agent.container(task["containers"][0], "STOPPED", exitCode=exit_code, reason=reason,
                               runtimeId=None if exit_code is None else "0" * 64)
        agent.submit(task["arn"], "STOPPED", [told])
    agents(play).start()
    task = stage.wait(run(stage))
    assert (task["stopCode"], task["stoppedReason"]) == (code, words)
    assert (task["containers"][0].get("reason"), task["containers"][0].get("exitCode")) == (reason, exit_code)


def test_what_the_agent_cannot_read_is_not_sent_again(stage, agent, monkeypatch):
    monkeypatch.setattr("support.officialagent.understood", lambda task: False)
    arn = run(stage)
    task = stage.wait(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", UNREADABLE)
    monkeypatch.undo()
    agent.hang_up()
    wait_until(lambda: not agent.instance()["agentConnected"], "the agent to be missed")
    agent.heard = []
    assert agent.connect().status == 101
    stage.wait_running(run(stage))
    assert told(agent, arn) is None and agent.tasks.keys() != {arn}


def test_older_agents_report_containers_one_by_one(stage, agents):
    agent = agents(lambda agent, task: None).start()
    arn = run(stage)
    wait_until(lambda: told(agent, arn), "the task to come")
    submit = dict(cluster=stage.cluster, task=arn, containerName="app")
    agent.ecs.submit_container_state_change(**submit, status="RUNNING", runtimeId="0" * 64)
    agent.submit(arn, "RUNNING")
    stage.wait_running(arn)
    agent.ecs.submit_container_state_change(**submit, status="STOPPED", exitCode=4)
    assert stage.task(arn)["desiredStatus"] == "STOPPED"
    agent.submit(arn, "STOPPED")
    assert stage.wait(arn)["containers"][0]["exitCode"] == 4
    # Of what is over, or never was, reports are taken too: the agent would send them for ever.
    agent.submit(arn, "RUNNING")
    agent.submit(arn.rsplit("/", 1)[0] + "/" + "0" * 32, "STOPPED")
    attachment = arn.split(":task/")[0] + ":attachment/00000000-0000-4000-8000-000000000000"
    assert agent.ecs.submit_attachment_state_changes(
        cluster=stage.cluster, attachments=[{"attachmentArn": attachment, "status": "ATTACHED"}])["acknowledgment"]
    assert stage.task(arn)["lastStatus"] == "STOPPED"


def test_what_the_agent_cannot_do_is_not_asked_of_it(stage, agent):
    assert failure(stage, define(stage, stage.container(logged=True))) == "ATTRIBUTE", "no awslogs driver"
    assert failure(stage, define(stage, pidMode="task")) == "ATTRIBUTE", "no pause image"
    ports = {**stage.container(), "portMappings": [{"containerPort": 22, "hostPort": 22}]}
    assert failure(stage, define(stage, ports, networkMode="bridge")) == "RESOURCE:PORTS"
    # What doesn't fit would wait at the agent, without a word, before everything that comes later.
    assert failure(stage, define(stage, {**stage.container(), "memory": 5000})) == "RESOURCE:MEMORY"
    stage.wait_running(run(stage, define(stage, {**stage.container(), "memory": 4000})))
    assert failure(stage, define(stage, {**stage.container(), "memory": 1000})) == "RESOURCE:MEMORY"


def test_a_gpu_is_associated_with_one_container(stage, agents):
    agent = agents().start(platformDevices=[{"id": "GPU-1", "type": "GPU"}, {"id": "GPU-2", "type": "GPU"}])
    requires = {"resourceRequirements": [{"type": "GPU", "value": "1"}]}
    definition = define(stage, {**stage.container(), **requires}, {**stage.container(name="other"), **requires})
    arn = run(stage, definition)
    task = stage.wait_running(arn)
    assert [one["gpuIds"] for one in task["containers"]] == [["GPU-1"], ["GPU-2"]]
    # It takes no other shape (agent/api/task/task.go, addGPUResource).
    assert told(agent, arn)["associations"] == [
        {"type": "gpu", "name": "GPU-1", "containers": ["app"]}, {"type": "gpu", "name": "GPU-2", "containers": ["other"]}]
    assert failure(stage, definition) == "RESOURCE:GPU"
    # It comes back with one less: what it has is its task's still.
    agent.hang_up()
    agent.start(platformDevices=[{"id": "GPU-1", "type": "GPU"}])
    resources = {r["name"]: r.get("stringSetValue") for r in agent.instance()["remainingResources"]}
    assert resources["GPU"] == []


def test_services_and_draining(stage, agents):
    first, second = agents().start(), agents()
    definition = define(stage)
    stage.ecs.create_service(cluster=stage.cluster, serviceName="web", taskDefinition=definition, desiredCount=2,
                             launchType="EXTERNAL")
    stage.wait_stable("web", 2)
    second.start()
    stage.ecs.update_container_instances_state(cluster=stage.cluster, containerInstances=[first.arn], status="DRAINING")

    def moved():
        tasks = stage.running("web")
        return len(tasks) == 2 and all(task["containerInstanceArn"] == second.arn for task in tasks)
    wait_until(moved, "the service's tasks to run elsewhere")
    wait_until(lambda: first.instance()["runningTasksCount"] == 0, "the first to be empty")


# Credentials ------------------------------------------------------------------------------------


def client(stage, service, credentials, **other):
    given = {"key": credentials["accessKeyId"], "secret": credentials["secretAccessKey"], "token": credentials["sessionToken"]}
    return stage.account.client(service, **{**given, **other})


def test_a_task_acts_as_its_role_while_it_lives(server, stage, agent, tmp_path):
    name, account = stage.name, stage.account.account_id()
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"Statement": {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"}}))
    arn = f"arn:aws:iam::{account}:role/{name}"
    assert server.run("role", "put", name, "--policy", str(policy)).stdout.strip() == arn
    task = run(stage, define(stage, taskRoleArn=arn))
    stage.wait_running(task)
    given = told(agent, task)["roleCredentials"]
    assert given["roleArn"] == arn and given["accessKeyId"].startswith("ASIA")
    assert "executionRoleCredentials" not in told(agent, task)
    me = client(stage, "sts", given).get_caller_identity()
    assert me["Arn"] == f"arn:aws:sts::{account}:assumed-role/{name}/{task.rsplit('/', 1)[1]}"
    ecs = client(stage, "ecs", given)
    assert ecs.list_tasks(cluster=stage.cluster)["taskArns"] == [task]
    refused(lambda: ecs.stop_task(cluster=stage.cluster, task=task), "AccessDeniedException", me["Arn"], "ecs:StopTask")
    # Half of a key is none, and neither is one that was made up.
    for wrong in ({"token": None}, {"token": "0" * 64}, {"secret": "0" * 40}):
        with pytest.raises(ClientError):
            client(stage, "ecs", given, **wrong).list_tasks(cluster=stage.cluster)
    # What a role may do changes at once.
    server.run("role", "delete", name)
    refused(lambda: ecs.list_tasks(cluster=stage.cluster), "AccessDeniedException")
    stage.ecs.stop_task(cluster=stage.cluster, task=task)
    stage.wait(task)
    refused(lambda: ecs.list_tasks(cluster=stage.cluster), "UnrecognizedClientException")


def test_the_execution_role_pulls_and_writes_logs(server, stage, agent):
    # Nobody has defined it: it has what it has on AWS, as a rule.
    execution = f"arn:aws:iam::{stage.account.account_id()}:role/{stage.name}-execution"
    task = run(stage, define(stage, executionRoleArn=execution))
    stage.wait_running(task)
    payload = told(agent, task)
    assert payload["containers"][0]["registryAuthentication"]["ecrAuthData"]["useExecutionRole"] is True
    given = payload["executionRoleCredentials"]
    token = client(stage, "ecr", given).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    pull = Pusher(server.host, base64.b64decode(token).decode().removeprefix("AWS:"))
    repository, tag = payload["containers"][0]["image"].split("/", 1)[1].split(":")
    assert pull.call("GET", f"/v2/{repository}/manifests/{tag}")[0] == 200
    assert pull.call("PUT", f"/v2/{repository}/manifests/other", b"{}", Content_Type=MANIFEST)[0] == 403
    refused(lambda: client(stage, "ecs", given).list_tasks(cluster=stage.cluster), "AccessDeniedException")
    stage.ecs.stop_task(cluster=stage.cluster, task=task)
    stage.wait(task)
    assert pull.call("GET", f"/v2/{repository}/manifests/{tag}")[0] == 401, "its password ends with it"


def test_a_new_process_is_given_the_credentials_of_what_it_finds(stage, agent):
    role = f"arn:aws:iam::{stage.account.account_id()}:role/{stage.name}"
    task = run(stage, define(stage, taskRoleArn=role, executionRoleArn=role))
    stage.wait_running(task)
    before = agent.credentials
    assert len(before) == 2
    agent.hang_up()
    wait_until(lambda: not agent.instance()["agentConnected"], "the agent to be missed")
    agent.forget()
    agent.credentials = {}
    agent.start()
    wait_until(lambda: len(agent.of("IAMRoleCredentialsMessage")) == 2, "the credentials to come")
    messages = agent.of("IAMRoleCredentialsMessage")
    assert {m["roleType"] for m in messages} == {"TaskApplication", "TaskExecution"}
    assert {m["taskArn"] for m in messages} == {task}
    # The address that a container has for them holds the id.
    assert agent.credentials.keys() == before.keys()
    # One that only lost its connection has them still.
    agent.hang_up()
    wait_until(lambda: not agent.instance()["agentConnected"], "the agent to be missed")
    agent.heard = []
    assert agent.connect().status == 101
    stage.wait_running(run(stage))
    assert agent.of("IAMRoleCredentialsMessage") == []


# Telemetry --------------------------------------------------------------------------------------


def test_health_metrics_and_the_instance_s_own_state(server, stage, agent):
    checked = {**stage.container(), "healthCheck": {"command": ["CMD-SHELL", "true"]}}
    task = stage.wait_running(run(stage, define(stage, checked)))
    named = {"taskArn": task["taskArn"], "taskDefinitionFamily": stage.name, "taskDefinitionVersion": "1"}
    for health in ("HEALTHY", "UNHEALTHY"):
        agent.publish("PublishHealthRequest", tasks=[{**named, "containers": [
            {"containerName": "app", "healthStatus": health, "statusSince": round(time.time(), 3)}]}])
        assert stage.task(task["taskArn"])["healthStatus"] == health
    stat = lambda value: {"min": value, "max": value, "sum": value * 20, "sampleCount": 20}
    agent.publish("PublishMetricsRequest", taskMetrics=[{**named, "containerMetrics": [
        {"containerName": "app", "cpuStatsSet": stat(12.5), "memoryStatsSet": stat(31.0)}]}])
    shown = server.run("top", "--once", "--cluster", stage.cluster).stdout
    line = next(line for line in shown.splitlines() if task["taskArn"].rsplit("/", 1)[1][:12] in line)
    assert "12.5" in line and "31" in line
    agent.publish("PublishMetricsRequest", taskMetrics=[])
    now = round(time.time(), 3)
    check = lambda kind, status: {"type": kind, "status": status, "lastUpdated": now, "lastStatusChange": now}
    agent.publish("PublishInstanceStatusRequest", statuses=[check("ContainerRuntime", "IMPAIRED"), check("EBSDaemon", "OK")])
    health = agent.instance()["healthStatus"]
    assert health["overallStatus"] == "IMPAIRED"
    assert [(d["type"], d["status"]) for d in health["details"]] == [("CONTAINER_RUNTIME", "IMPAIRED"), ("DAEMON", "OK")]


# Coming back ------------------------------------------------------------------------------------


def test_what_was_stopped_while_it_was_away_is_stopped_on_return(stage, agent):
    kept, gone = run(stage), run(stage)
    stage.wait_running(kept), stage.wait_running(gone)
    agent.hang_up()
    wait_until(lambda: not agent.instance()["agentConnected"], "the agent to be missed")
    stage.ecs.stop_task(cluster=stage.cluster, task=gone, reason="while it was away")
    # One more that the server knows nothing of, as if its state were older.
    stranger = gone.rsplit("/", 1)[0] + "/" + "0" * 32
    agent.tasks[stranger] = {**agent.tasks[kept], "arn": stranger, "desiredStatus": "RUNNING"}
    assert agent.connect().status == 101
    assert stage.wait(gone)["stoppedReason"] == "while it was away"
    wait_until(lambda: agent.tasks[stranger]["desiredStatus"] == "STOPPED", "the stranger to be stopped")
    assert agent.tasks[kept]["desiredStatus"] == "RUNNING" and stage.task(kept)["lastStatus"] == "RUNNING"


def test_a_server_that_was_killed_finds_everything_as_it_was(own_server, own_stage):
    begun = []

    def play(agent, task):
        begun.append(task["arn"])
        agent.run(task)
    stage = own_stage
    agent = OfficialAgent(own_server, stage, play).start()
    tasks = [run(stage) for _ in range(3)]
    for task in tasks:
        stage.wait_running(task)
    own_server.kill()
    own_server.start()
    assert agent.connect().status == 101
    # All are told anew, which changes nothing; and a new one runs.
    wait_until(lambda: all(told(agent, task) for task in tasks), "the tasks to be told again")
    stage.wait_running(run(stage))
    assert [stage.task(task)["lastStatus"] for task in tasks] == ["RUNNING"] * 3
    assert sorted(begun[:3]) == sorted(tasks) and len(begun) == 4
    manifests = [m["timeline"] for m in agent.of("TaskManifestMessage")]
    assert manifests == sorted(set(manifests)), "one that isn't greater is dropped without a word"
    agent.end()
