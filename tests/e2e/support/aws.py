"""boto3 against a server, and the steps that most tests share."""

import base64
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from . import image
from .waiting import LONG, wait_until

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-e2e"], "securityGroups": ["sg-e2e"],
                                   "assignPublicIp": "DISABLED"}}
ORDER = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING",
         "STOPPED"]


class Account:
    """Clients with the keys that `longshore env` gave."""

    def __init__(self, server):
        self.server = server
        self.environment = server.environment()
        self.region = self.environment["AWS_REGION"]
        self.ecs = self.client("ecs")
        self.ecr = self.client("ecr")
        self.logs = self.client("logs")
        self.sts = self.client("sts")

    def client(self, service, region=None, key=None, secret=None, token=None, **more):
        return boto3.client(
            service, region_name=region or self.region, endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=key or self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or self.environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=token, verify=self.environment.get("AWS_CA_BUNDLE"),
            config=Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=120, **more),
        )

    def account_id(self):
        return self.sts.get_caller_identity()["Account"]

    def password(self):
        data = self.ecr.get_authorization_token()["authorizationData"][0]
        return base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:")

    def repository(self, name=None):
        """A new repository; its name."""
        name = name or unique("repo")
        self.ecr.create_repository(repositoryName=name)
        return name

    def push(self, picture, repository=None, tag="latest"):
        """Pushes to a repository, made if it is none; the name a task definition calls it by."""
        repository = repository or self.repository()
        image.Pusher(self.server.host, self.password(), ca=self.server.ca).push(picture, repository, tag)
        return f"{self.server.host}/{repository}:{tag}"


def unique(word):
    return f"{word}-{uuid.uuid4().hex[:8]}"


def refused(call, code, *words):
    """The call must end with this error, and its message hold these words."""
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error


class Stage:
    """What one test has to itself: a cluster, a log group, and whatever runs in them."""

    def __init__(self, account, default_image):
        self.account = account
        self.ecs, self.logs = account.ecs, account.logs
        self.image = default_image
        self.name = unique("e2e")
        self.cluster = self.ecs.create_cluster(clusterName=self.name)["cluster"]["clusterName"]
        self.group = f"/e2e/{self.name}"

    def clear(self):
        """Asks everything to stop, so that it doesn't take the next tests' memory. Doesn't wait."""
        for service in self.ecs.list_services(cluster=self.cluster, maxResults=100)["serviceArns"]:
            self.ecs.delete_service(cluster=self.cluster, service=service, force=True)
        for task in self.ecs.list_tasks(cluster=self.cluster)["taskArns"]:
            self.ecs.stop_task(cluster=self.cluster, task=task)

    # Definitions ----------------------------------------------------------------------------

    def container(self, script=None, name="app", logged=False, **fields):
        """A busybox container that runs a shell script. As the first process of its namespace it is deaf to
        a SIGTERM that it doesn't trap: hence the short stopTimeout."""
        container = {"name": name, "image": self.image, "essential": True, "stopTimeout": 2, **fields}
        if script is not None:
            container["command"] = ["/bin/sh", "-c", script]
        if logged:
            container["logConfiguration"] = {"logDriver": "awslogs", "options": {
                "awslogs-group": self.group, "awslogs-region": self.account.region,
                "awslogs-stream-prefix": "t", "awslogs-create-group": "true"}}
        return container

    def register(self, *containers, family=None, cpu="256", memory="512", **fields):
        """Registers for FARGATE; the ARN."""
        return self.ecs.register_task_definition(
            family=family or self.name, cpu=cpu, memory=memory, networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"], containerDefinitions=list(containers), **fields,
        )["taskDefinition"]["taskDefinitionArn"]

    # Tasks ----------------------------------------------------------------------------------

    def run(self, definition, **fields):
        """RunTask; all went well; the ARN, or a list of them where a count was asked for."""
        answer = self.ecs.run_task(cluster=self.cluster, taskDefinition=definition, launchType="FARGATE",
                                   networkConfiguration=NETWORK, **fields)
        assert answer["failures"] == []
        arns = [task["taskArn"] for task in answer["tasks"]]
        return arns if "count" in fields else arns[0]

    def run_script(self, script, memory="512", cpu="256", **fields):
        return self.run(self.register(self.container(script, **fields), memory=memory, cpu=cpu))

    def task(self, arn):
        answer = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn], include=["TAGS"])
        assert answer["failures"] == []
        return answer["tasks"][0]

    def wait(self, arn, status="STOPPED", deadline=LONG):
        """Waits until the task is that far, or farther; the task."""
        def there():
            self.seen = self.task(arn)
            return ORDER.index(self.seen["lastStatus"]) >= ORDER.index(status)
        wait_until(there, f"{arn} to be {status}", deadline)
        return self.seen

    def wait_running(self, arn):
        task = self.wait(arn, "RUNNING")
        assert task["lastStatus"] == "RUNNING", task.get("stoppedReason")
        return task

    def finish(self, script, **fields):
        """Runs a script to its end; the stopped task."""
        return self.wait(self.run_script(script, **fields))

    def output(self, script, **fields):
        """What a script writes, as its log tells, line by line."""
        task = self.finish(script, logged=True, **fields)
        assert task["containers"][0].get("exitCode") == 0, (task, self.lines(task))
        return self.lines(task)

    # Services -------------------------------------------------------------------------------

    def create_service(self, definition, count=1, name=None, **fields):
        name = name or unique("svc")
        self.ecs.create_service(cluster=self.cluster, serviceName=name, taskDefinition=definition,
                                desiredCount=count, launchType="FARGATE", networkConfiguration=NETWORK, **fields)
        return name

    def service(self, name):
        answer = self.ecs.describe_services(cluster=self.cluster, services=[name], include=["TAGS"])
        assert answer["failures"] == [], answer
        return answer["services"][0]

    def tasks_of(self, service, desired="RUNNING"):
        arns = self.ecs.list_tasks(cluster=self.cluster, serviceName=service, desiredStatus=desired)["taskArns"]
        return self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []

    def running(self, service):
        return [task for task in self.tasks_of(service) if task["lastStatus"] == "RUNNING"]

    def wait_stable(self, service, count):
        def stable():
            now = self.service(service)
            return len(now["deployments"]) == 1 and now["runningCount"] == count == now["desiredCount"] \
                and now["pendingCount"] == 0 and now["deployments"][0]["rolloutState"] == "COMPLETED"
        wait_until(stable, f"{service} to be stable with {count}")
        return self.running(service)

    # Logs -----------------------------------------------------------------------------------

    def stream(self, task, container="app"):
        return f"t/{container}/{task['taskArn'].rsplit('/', 1)[1]}"

    def lines(self, task, container="app"):
        """All lines of a container, read page by page."""
        lines, token = [], None
        while True:
            arguments = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(logGroupName=self.group, logStreamName=self.stream(task, container),
                                            startFromHead=True, **arguments)
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token:
                return lines
            token = page["nextForwardToken"]


def address(task):
    """The task's own address, as its ENI attachment tells it."""
    details = {pair["name"]: pair["value"] for pair in task["attachments"][0]["details"]}
    return details["privateIPv4Address"]
