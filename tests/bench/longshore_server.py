"""A Longshore in a throw-away data directory, driven with boto3."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import boto3

IMAGE = "longshore-sample"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-default"]}}
DEADLINE_S = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.longshore = str((folder / "longshore").resolve())
        self.data = tempfile.mkdtemp(prefix="longshore-bench-")
        self.flags = ["--data-dir", self.data, "--listen", f"127.0.0.1:{free_port()}"]

    def __enter__(self):
        # The sample service brings its image into the registry; its task is not wanted here.
        self.command("up")
        exports = self.command("env")
        for line in exports.splitlines():
            if line.startswith("export "):
                name, value = line.removeprefix("export ").split("=", 1)
                os.environ[name] = value.strip("'\"")
        self.ecs = boto3.client("ecs")
        for arn in self.ecs.list_services()["serviceArns"]:
            self.delete_service(arn)
        self.pid = self.find_pid()
        self.ecs.register_task_definition(
            family="bench",
            cpu="256",
            memory="512",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            containerDefinitions=[{"name": "app", "image": self.image(), "stopTimeout": 2}],
        )
        return self

    def __exit__(self, *_):
        subprocess.run([self.longshore, "down", *self.flags], check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.data, ignore_errors=True)

    def command(self, name):
        done = subprocess.run([self.longshore, name, *self.flags], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"longshore {name} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def image(self):
        repositories = boto3.client("ecr").describe_repositories()["repositories"]
        uri = next(r["repositoryUri"] for r in repositories if "sample" in r["repositoryName"])
        return f"{uri}:latest"

    def find_pid(self):
        return json.loads(Path(self.data, "server.json").read_text())["pid"]

    def shims(self):
        """The shims of this data directory's agent: their namespace is derived from it."""
        prefix = "ls" + hashlib.sha256(os.path.realpath(f"{self.data}/agent").encode()).hexdigest()[:6]
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                line = (entry / "cmdline").read_bytes()
                if b"containerd-shim-longshore-v1" in line and prefix.encode() in line:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def run_task(self):
        answer = self.ecs.run_task(taskDefinition="bench", launchType="FARGATE", networkConfiguration=NETWORK)
        if answer["failures"]:
            raise SystemExit(f"RunTask failed: {answer['failures']}")
        return answer["tasks"][0]["taskArn"]

    def wait_task(self, arn, status):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            task = self.ecs.describe_tasks(tasks=[arn])["tasks"][0]
            if task["lastStatus"] == status:
                return task
            if task["lastStatus"] == "STOPPED":
                raise SystemExit(f"the task stopped: {task.get('stoppedReason')}")
            time.sleep(0.002)
        raise SystemExit(f"the task was not {status} within {DEADLINE_S} s")

    def create_service(self, name, count):
        self.ecs.create_service(
            serviceName=name,
            taskDefinition="bench",
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
        )

    def running(self, name):
        return self.ecs.describe_services(services=[name])["services"][0]["runningCount"]

    def delete_service(self, name):
        self.ecs.delete_service(service=name, force=True)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if self.ecs.describe_services(services=[name])["services"][0]["status"] == "INACTIVE":
                return
            time.sleep(0.05)
        raise SystemExit(f"the service {name} did not drain within {DEADLINE_S} s")
