"""What a scenario works with: boto3 clients whose every answer is checked, and the things that operations need."""

import json
import time
import uuid

from kit.distribution import Registry, basic
from kit.shapes import error_findings, findings, operation
from support.aws import Account, Stage, unique

NAMES = {"ecs": "ecs", "ecr": "ecr", "cloudwatch-logs": "logs", "eventbridge": "events", "sts": "sts"}


class CheckedAccount(Account):
    """Checks each answer's raw JSON. `succeeded` holds the operations that had a success."""

    def __init__(self, server):
        self.succeeded = set()
        super().__init__(server)

    def client(self, service, *arguments, **options):
        client = super().client(service, *arguments, **options)
        client.meta.events.register("response-received", self.check)
        return client

    def check(self, event_name, response_dict, **_):
        _, client, name = event_name.split(".")
        service, status = NAMES[client], response_dict["status_code"]
        if service == "sts":
            # botocore has parsed the XML by the model; `test_sts.py` looks at its letters.
            found = []
        elif not isinstance(response_dict["body"], bytes):
            # An event stream, which is still under way.
            found = []
        else:
            body = json.loads(response_dict["body"] or b"{}")
            found = (findings(operation(service, name).output_shape, body) if status == 200
                     else error_findings(service, name, status, body))
        assert not found, f"{service} {name}: " + "\n".join(found)
        if status == 200:
            self.succeeded.add((service, name))


class Scene(Stage):
    """A cluster, a log group and a repository of its own."""

    def __init__(self, account, image):
        super().__init__(account, image)
        self.ecr, self.sts = account.ecr, account.sts
        self.events = account.client("events")

    def definition(self, script="exec sleep 600", **fields):
        return self.register(self.container(script), **fields)

    def running_task(self):
        """A task that runs; its ARN."""
        arn = self.run(self.definition())
        self.wait_running(arn)
        return arn

    def instance(self, **fields):
        """Registers a container instance, as an agent would; the ARN."""
        return self.ecs.register_container_instance(cluster=self.cluster, totalResources=[
            {"name": "CPU", "type": "INTEGER", "integerValue": 2048},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": 4096},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2376"]},
            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
        ], **{
            "attributes": [{"name": "ecs.capability.execution-role-ecr-pull"}, {"name": "rack", "value": "r1"}],
            "versionInfo": {"agentVersion": "1.105.1", "agentHash": "01234567", "dockerVersion": "DockerVersion: 20.10"},
            **fields})["containerInstance"]["containerInstanceArn"]

    # Registry -------------------------------------------------------------------------------

    def repository(self, **fields):
        name = unique("conformance/api")
        self.ecr.create_repository(repositoryName=name, **fields)
        return name

    def registry(self):
        return Registry(self.account.server.host, basic("AWS", self.account.password()))

    def pushed(self, tag="v1"):
        """(repository, manifest's bytes) of a small image."""
        repository = self.repository()
        return repository, self.registry().push_image(repository, tag)

    # Logs -----------------------------------------------------------------------------------

    def log_group(self, **fields):
        name = f"/conformance/{uuid.uuid4()}"
        self.logs.create_log_group(logGroupName=name, **fields)
        return name

    def log_stream(self):
        """(group, stream)."""
        group, stream = self.log_group(), "a/stream"
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        return group, stream

    def log_group_arn(self, group):
        return f"arn:aws:logs:{self.account.region}:{self.account.account_id()}:log-group:{group}"

    def log_events(self, count=3):
        group, stream = self.log_stream()
        events = [{"timestamp": self.now_ms() + i, "message": f"line {i}"} for i in range(count)]
        self.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        return group, stream

    @staticmethod
    def now_ms():
        return int(time.time() * 1000)
