"""Amazon's own ECS agent, as it was seen to speak (docs/official-agent.md), with containers that only say what a real one
would have done. Its order of words, its batches, its silence: what a server could stumble over."""

import json
import re
import threading
import time
import uuid

from botocore.exceptions import ClientError

from .agentsocket import AgentSocket
from .waiting import wait_until

VERSION, HASH, DOCKER = "1.105.1", "a8b3e7d3", "20.10.24+dfsg1"
# What version 1.105.1 registers with ECS_EXTERNAL and a Docker 20.10.
DOCKER_VERSIONS = [17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 32]
OLDER = ["ecr-auth", "logging-driver.awsfirelens", "logging-driver.json-file", "logging-driver.none",
         "privileged-container", "task-iam-role", "task-iam-role-network-host"]
NEWER = ["container-health-check", "container-ordering", "container-restart-policy", "docker-plugin.local",
         "ecr-endpoint", "efs", "env-files.s3", "execution-role-ecr-pull", "external", "firelens.fluentbit",
         "firelens.fluentd", "firelens.non-root-user", "firelens.options.config.file", "firelens.options.config.s3",
         "full-sync", "ipv6-only", "logging-driver.awsfirelens.log-driver-buffer-limit", "network.container-port-range",
         "private-registry-authentication.secretsmanager", "secrets.asm.bootstrap.log-driver",
         "secrets.asm.environment-variables", "secrets.ssm.bootstrap.log-driver", "secrets.ssm.environment-variables",
         "storage.s3-files"]
CAPABILITIES = [f"com.amazonaws.ecs.capability.docker-remote-api.1.{n}" for n in DOCKER_VERSIONS] \
    + [f"com.amazonaws.ecs.capability.{name}" for name in OLDER] + [f"ecs.capability.{name}" for name in NEWER]
SYSTEM = {"ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.os-type-detailed": "LINUX",
          "ecs.cpu-architecture": "x86_64"}
RESERVED = ["22", "2375", "2376", "51678", "51679"]
# What the agent reads as whole numbers: anything else, and the message is dropped.
WHOLE = {"cpu", "memory", "startTimeout", "stopTimeout", "hostPort", "containerPort", "restartAttemptPeriod"}


class OfficialAgent:
    """`play(agent, task)` is called with each task to start, and says by `submit` what becomes of it; as a rule it runs.
    `heard`: all that came, in order."""

    def __init__(self, server, stage, play=None):
        self.account, self.cluster = stage.account, stage.cluster
        self.keys = dict(re.findall(r"export (\w+)=(\S+)", server.run("env", "--agent").stdout))
        self.ecs = self.account.client("ecs", key=self.keys["AWS_ACCESS_KEY_ID"],
                                       secret=self.keys["AWS_SECRET_ACCESS_KEY"])
        # Members that the agent's own model of the API has, and the public one hasn't.
        for operation, member in (("RegisterContainerInstance", "clientToken"), ("DiscoverPollEndpoint", "zoneId")):
            members = self.ecs.meta.service_model.operation_model(operation).input_shape.members
            members[member] = members["cluster"]
        self.play = play or OfficialAgent.run
        self.arn, self.timeline = None, -1
        self.tasks, self.credentials = {}, {}
        self.forget()

    def forget(self):
        """What a new process doesn't know."""
        self.heard, self.had_connected = [], False
        self.acs = self.tcs = None
        self.troubles = []

    # Joining ----------------------------------------------------------------------------------

    def register(self, memory=4096, custom=(), **fields):
        """As at each start: under the ARN that is known, custom attributes with the first alone."""
        own = [] if self.arn else [{"name": name, "value": value} for name, value in custom]
        attributes = own + [{"name": name} for name in CAPABILITIES] + [
            {"name": name, "value": value} for name, value in SYSTEM.items()]
        known = {"containerInstanceArn": self.arn} if self.arn else {}
        number = {"type": "INTEGER"}
        answer = self.ecs.register_container_instance(
            cluster=self.cluster, instanceIdentityDocument="", instanceIdentityDocumentSignature="",
            attributes=attributes, clientToken=str(uuid.uuid4()), **known, **{"totalResources": [
                {"name": "CPU", **number, "integerValue": 2048}, {"name": "MEMORY", **number, "integerValue": memory},
                {"name": "PORTS", "type": "STRINGSET", "stringSetValue": RESERVED},
                {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []}], **fields})["containerInstance"]
        back = {a["name"]: a.get("value") for a in answer["attributes"]}
        lost = [a for a in attributes if "value" in a and back.get(a["name"]) != a["value"]]
        assert lost == [], "the agent would end with code 5: Attribute validation failed"
        self.arn = answer["containerInstanceArn"]
        return self

    def connect(self, cluster=None):
        """Both sockets; the status of the handshake, which may be a refusal."""
        endpoints = self.ecs.discover_poll_endpoint(cluster=self.cluster, containerInstance=self.arn, zoneId="")
        assert endpoints["endpoint"].endswith("/acs/") and endpoints["telemetryEndpoint"].endswith("/tcs/")
        said = {"agentVersion": VERSION, "agentHash": HASH}
        acs = AgentSocket(self.account, "acs", cluster or self.cluster, self.arn, self.keys, **said,
                          dockerVersion=f"DockerVersion: {DOCKER}",
                          sendCredentials="false" if self.had_connected else "true")
        if acs.status != 101:
            return acs
        self.acs, self.had_connected = acs, True
        threading.Thread(target=self.listen, args=(acs,), daemon=True).start()
        self.tcs = AgentSocket(self.account, "tcs", cluster or self.cluster, self.arn, self.keys, **said,
                               dockerVersion=DOCKER)
        return acs

    def start(self, **fields):
        self.register(**fields)
        assert self.connect().status == 101
        wait_until(lambda: self.instance()["agentConnected"], "the agent to be connected")
        return self

    def instance(self):
        return self.ecs.describe_container_instances(cluster=self.cluster, containerInstances=[self.arn],
                                                     include=["CONTAINER_INSTANCE_HEALTH"])["containerInstances"][0]

    def hang_up(self):
        """As a process that is killed: no word of goodbye."""
        for connection in (self.acs, self.tcs):
            if connection:
                connection.socket.shutdown(2)

    def end(self):
        self.hang_up()
        assert self.troubles == [], self.troubles

    # Listening --------------------------------------------------------------------------------

    def listen(self, acs):
        while (text := acs.receive()) is not None:
            frame = json.loads(text)
            try:
                getattr(self, "on_" + frame["type"], lambda _: None)(frame["message"])
            except OSError:
                pass
            except Exception as error:  # A thread's failure must fail the test.
                self.troubles.append(repr(error))
            self.heard.append(frame)

    def of(self, kind):
        """The messages of a type that came so far."""
        return [frame["message"] for frame in list(self.heard) if frame["type"] == kind]

    def say(self, kind, **message):
        self.acs.send(json.dumps({"type": kind, "message": message}))

    def acknowledge(self, message):
        self.say("AckRequest", cluster=message["clusterArn"], containerInstance=message["containerInstanceArn"],
                 messageId=message["messageId"])

    def on_HeartbeatMessage(self, message):
        self.say("HeartbeatAckRequest", messageId=message["messageId"])

    def on_PayloadMessage(self, message):
        assert message["messageId"] and message["clusterArn"] and message["containerInstanceArn"]
        self.timeline = max(self.timeline, message["seqNum"])
        bad = [task for task in message["tasks"] if not understood(task)]
        good = [task for task in message["tasks"] if task not in bad]
        for task in sorted(good, key=lambda task: task["desiredStatus"] != "STOPPED"):
            self.take(task)
        for task in bad:
            self.submit(task["arn"], "STOPPED", reason="UnrecogniedTaskError: Error loading task - unrecognized volume type")
        if bad:
            return
        # Each is sent by a goroutine of its own: the payload's may come last.
        for task in good:
            for role in ("roleCredentials", "executionRoleCredentials"):
                if told := task.get(role):
                    self.keep(told)
                    self.say("IAMRoleCredentialsAckRequest", messageId=message["messageId"],
                             credentialsId=told["credentialsId"], expiration=told["expiration"])
        self.acknowledge(message)

    def on_TaskManifestMessage(self, message):
        if message["timeline"] <= self.timeline:
            return
        self.timeline = message["timeline"]
        self.acknowledge(message)
        wanted = {task["taskArn"] for task in message["tasks"] if task["desiredStatus"] == "RUNNING"}
        extra = [{"taskArn": arn, "taskClusterArn": message["clusterArn"], "desiredStatus": "STOPPED"}
                 for arn, task in self.tasks.items() if task["desiredStatus"] == "RUNNING" and arn not in wanted]
        if extra:
            self.say("TaskStopVerificationMessage", messageId=message["messageId"], stopCandidates=extra)

    def on_TaskStopVerificationAck(self, message):
        for task in message["stopTasks"]:
            self.stop(self.tasks[task["taskArn"]])

    def on_IAMRoleCredentialsMessage(self, message):
        assert message["roleType"] in ("TaskApplication", "TaskExecution")
        if message["taskArn"] in self.tasks:
            told = message["roleCredentials"]
            self.keep(told)
            self.say("IAMRoleCredentialsAckRequest", messageId=message["messageId"],
                     credentialsId=told["credentialsId"], expiration=told["expiration"])

    def keep(self, credentials):
        self.credentials[credentials["credentialsId"]] = credentials

    # Tasks ------------------------------------------------------------------------------------

    def take(self, task):
        known = self.tasks.get(task["arn"])
        if known is None and task["desiredStatus"] == "RUNNING":
            self.tasks[task["arn"]] = task
            self.play(self, task)
        elif known is None:
            self.submit(task["arn"], "STOPPED", [self.container(c, "STOPPED", runtimeId=None) for c in task["containers"]])
        elif task["desiredStatus"] == "STOPPED" and known["desiredStatus"] != "STOPPED":
            self.stop(known)

    def stop(self, task):
        task["desiredStatus"] = "STOPPED"
        self.submit(task["arn"], "STOPPED", [self.container(c, "STOPPED", exitCode=143) for c in task["containers"]],
                    executionStoppedAt=time.time())

    def run(self, task):
        self.submit(task["arn"], "RUNNING", [self.container(c, "RUNNING") for c in task["containers"]],
                    pullStartedAt=time.time(), pullStoppedAt=time.time())

    def container(self, container, status, **more):
        told = {"containerName": container["name"], "status": status, "runtimeId": uuid.uuid4().hex * 2,
                "imageDigest": "sha256:" + "0" * 64, **more}
        return {name: value for name, value in told.items() if value is not None}

    def submit(self, arn, status, containers=(), reason="", **more):
        """Again until it is taken, as the agent does for a day; InvalidParameterException alone ends it."""
        def taken():
            try:
                return self.ecs.submit_task_state_change(cluster=self.cluster, task=arn, status=status, reason=reason,
                                                         containers=list(containers), **more)["acknowledgment"]
            except ClientError as error:
                assert error.response["Error"]["Code"] != "InvalidParameterException", error
            except OSError:
                pass
        return wait_until(taken, f"{arn} to be reported {status}")

    # Telemetry --------------------------------------------------------------------------------

    def publish(self, kind, **message):
        """A TCS frame is a signed request's head before the JSON; back when it is acknowledged."""
        head = "Authorization: AWS4-HMAC-SHA256 Credential=x\r\nHost: x\r\nX-Amz-Date: 20261130T000000Z\r\n\r\n"
        meta = {"cluster": self.cluster, "containerInstance": self.arn}
        meta |= {"requestId": str(uuid.uuid4())} if "Instance" in kind else {"messageId": str(uuid.uuid4()), "fin": True}
        if "Metrics" in kind:
            meta["idle"] = not message.get("taskMetrics")
        self.tcs.send(head + json.dumps({"type": kind, "message": {
            "metadata": meta, "timestamp": round(time.time(), 3), **message}}))
        expected = {"PublishMetricsRequest": "AckPublishMetric", "PublishHealthRequest": "AckPublishHealth",
                    "PublishInstanceStatusRequest": "AckPublishInstanceStatus"}[kind]
        while (text := self.tcs.receive()) is not None:
            if json.loads(text)["type"] == expected:
                return
        raise AssertionError("the telemetry session ended")


def understood(task):
    """Whether the agent could decode and take a task: numbers that are whole, kinds that it knows, texts that are JSON."""
    def whole(value, name=None):
        if isinstance(value, dict):
            return all(whole(inner, key) for key, inner in value.items())
        if isinstance(value, list):
            return all(whole(inner) for inner in value)
        return name not in WHOLE or isinstance(value, int)
    for container in task["containers"]:
        for text in ("config", "hostConfig"):
            json.loads(container["dockerConfig"][text])
        if container.get("overrides") and set(json.loads(container["overrides"])) - {"command"}:
            return False
        if not isinstance(container.get("environment", {}), dict):
            return False
    kinds = {volume.get("type", "host") for volume in task.get("volumes", [])}
    return whole(task["containers"]) and task["desiredStatus"] in ("RUNNING", "STOPPED") \
        and kinds <= {"host", "docker", "efs", "fsxWindowsFileServer"}
