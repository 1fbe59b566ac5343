"""A machine of one's own: `longshore agent` beside the server, which can be killed and started again."""

import os
import re
import signal
import subprocess

from .server import Server, bin_dir
from .waiting import wait_until


class Machine:
    """`longshore agent` as on another machine: its own directory, credentials from the environment."""

    def __init__(self, server, stage, name="mine", inside=(), url=None, flags=()):
        """`url`: where it reaches the server, if that is another address than this process does. `flags`: of the agent."""
        self.name, self.flags = name, flags
        self.place = Server("longshore-agent-", inside=inside)
        self.stage, self.url = stage, url or server.url
        self.keys = dict(re.findall(r"export (\w+)=(\S+)", server.run("env", "--agent").stdout))
        self.keys["AWS_CA_BUNDLE"] = str(server.data_dir / "ca.pem")
        self.agent = None

    @property
    def volumes(self):
        return self.place.data_dir / "agent" / "volumes"

    def begin(self):
        with open(self.place.output, "ab") as output:
            self.agent = subprocess.Popen(
                [*self.place.inside, bin_dir() / "longshore", "--data-dir", self.place.data_dir, "agent",
                 "--endpoint", self.url, "--cluster", self.stage.cluster, "--name", self.name, *self.flags],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **self.keys})
        return self

    def start(self):
        self.begin()
        wait_until(self.instance, "the machine to be connected")
        self.place.prefix = self.place.find_prefix()
        return self

    def known(self):
        """What the server tells of it, connected or not."""
        ecs, cluster = self.stage.ecs, self.stage.cluster
        arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
        found = ecs.describe_container_instances(cluster=cluster, containerInstances=arns) if arns else {}
        named = {"name": "longshore.instance-name", "value": self.name}
        return next((i for i in found.get("containerInstances", []) if named in [
            {"name": a["name"], "value": a.get("value")} for a in i["attributes"]]), None)

    def instance(self):
        assert self.agent.poll() is None, self.place.tail()
        known = self.known()
        return known if known and known["agentConnected"] else None

    def disconnected(self):
        return not self.known()["agentConnected"]

    def kill(self):
        """kill -9; back when the server has noticed."""
        self.agent.send_signal(signal.SIGKILL)
        self.agent.wait(60)
        wait_until(self.disconnected, "the server to miss the machine")

    def end(self):
        if self.agent.poll() is None:
            self.agent.terminate()
            self.agent.wait(60)

    def down(self, *arguments):
        self.end()
        self.place.run("down", *arguments)
        left = self.place.leftovers()
        assert left == [], left
