"""The network modes of a machine of one's own: bridge, host and none, with real containers, reached from outside."""

import os
import socket

import pytest
from support.aws import refused
from support.host import fetch
from support.machine import Machine
from support.outside import Outside
from support.server import free_port
from support.waiting import wait_until

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


@pytest.fixture
def machine(server, stage):
    machine = Machine(server, stage).start()
    yield machine
    machine.down()


@pytest.fixture
def outside():
    outside = Outside(WORKER)
    yield outside
    outside.remove()


def serving(stage, name="app", port=8080, **fields):
    """A container whose web server tells its name."""
    script = f"echo {name} > /tmp/index.html; exec httpd -f -p {port} -h /tmp"
    return {**stage.container(script, name=name), "memory": 64, **fields}


def define(stage, mode, *containers):
    return stage.ecs.register_task_definition(
        family=stage.name, networkMode=mode, requiresCompatibilities=["EC2"], containerDefinitions=list(containers),
    )["taskDefinition"]["taskDefinitionArn"]


def place(stage, definition):
    return stage.ecs.run_task(cluster=stage.cluster, taskDefinition=definition, launchType="EC2")


def run(stage, mode, *containers):
    answer = place(stage, define(stage, mode, *containers))
    assert answer["failures"] == []
    return stage.wait_running(answer["tasks"][0]["taskArn"])


def container(task, name="app"):
    return next(one for one in task["containers"] if one["name"] == name)


def ports_of(machine, name="PORTS"):
    return next(r["stringSetValue"] for r in machine.instance()["remainingResources"] if r["name"] == name)


def stop(stage, task):
    stage.ecs.stop_task(cluster=stage.cluster, task=task["taskArn"])
    return stage.wait(task["taskArn"])


@pytest.mark.long
def test_a_bridge_s_containers_are_reached_by_ports_of_the_machine(stage, machine, outside):
    named = free_port()
    web = serving(stage, "web", portMappings=[
        {"containerPort": 8080, "hostPort": named}, {"containerPort": 53, "protocol": "udp"}])
    api = serving(stage, "api", portMappings=[{"containerPort": 8080}, {"containerPortRange": "9000-9002"}])
    assert {"22", "2375", "2376", "51678", "51679", "51680"} <= set(ports_of(machine))
    task = run(stage, "bridge", web, api)
    assert task["attachments"] == []
    assert [one["networkInterfaces"] for one in task["containers"]] == [[], []]
    bound = container(task, "web")["networkBindings"]
    assert bound[0] == {"bindIP": "0.0.0.0", "containerPort": 8080, "hostPort": named, "protocol": "tcp"}
    assert (bound[1]["containerPort"], bound[1]["protocol"]) == (53, "udp")
    one, several = container(task, "api")["networkBindings"]
    low, high = (int(port) for port in several["hostPortRange"].split("-"))
    assert several["containerPortRange"] == "9000-9002" and high - low == 2 and "hostPort" not in several
    with open("/proc/sys/net/ipv4/ip_local_port_range") as known:
        first, last = map(int, known.read().split())
    chosen = [bound[1]["hostPort"], one["hostPort"], low, high]
    assert all(first <= port <= last for port in chosen)
    # Both have the same port, each in a namespace of its own.
    for reached in ("127.0.0.1", outside.machine):
        wait_until(lambda: fetch(reached, named) == "web\n", f"web at {reached}")
        wait_until(lambda: fetch(reached, one["hostPort"]) == "api\n", f"api at {reached}")
    assert outside.fetch(outside.machine, named) == "web\n"
    assert outside.fetch(outside.machine, one["hostPort"]) == "api\n"
    # What leads to a container no other program of the machine can have.
    for port in (named, low):
        with socket.socket() as taken, pytest.raises(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("0.0.0.0", port))
            taken.listen()


@pytest.mark.long
def test_a_port_is_given_once_and_free_when_the_task_is_gone(stage, machine):
    port = free_port()
    slow = serving(stage, portMappings=[{"containerPort": 8080, "hostPort": port}], stopTimeout=3)
    definition = define(stage, "bridge", slow)
    task = stage.wait_running(place(stage, definition)["tasks"][0]["taskArn"])
    assert str(port) in ports_of(machine)
    taken = place(stage, definition)
    assert taken["tasks"] == []
    assert [(f["arn"], f["reason"]) for f in taken["failures"]] == [(task["containerInstanceArn"], "RESOURCE:PORTS")]
    # Of the machine's own stack it is the same port.
    same = define(stage, "host", serving(stage, port=port, portMappings=[{"containerPort": port}]))
    assert place(stage, same)["failures"][0]["reason"] == "RESOURCE:PORTS"
    udp = define(stage, "bridge", serving(stage, portMappings=[
        {"containerPort": 53, "hostPort": port, "protocol": "udp"}]))
    other = place(stage, udp)["tasks"][0]
    stage.wait_running(other["taskArn"])
    stop(stage, task)
    assert str(port) in ports_of(machine, "PORTS_UDP") and str(port) not in ports_of(machine)
    again = place(stage, same)
    assert again["failures"] == []
    task = stage.wait_running(again["tasks"][0]["taskArn"])
    wait_until(lambda: fetch("127.0.0.1", port) == "app\n", "the task in the machine's stack")
    assert container(task)["networkBindings"] == [] and container(task)["networkInterfaces"] == []
    assert place(stage, definition)["failures"][0]["reason"] == "RESOURCE:PORTS"


def test_a_port_that_another_program_has(stage, machine):
    with socket.create_server(("127.0.0.1", free_port())) as theirs:
        port = theirs.getsockname()[1]
        answer = place(stage, define(stage, "bridge", serving(stage, portMappings=[
            {"containerPort": 80, "hostPort": port}])))
        task = stage.wait(answer["tasks"][0]["taskArn"])
    assert f"Bind for 0.0.0.0:{port}/tcp failed" in task["stoppedReason"], task


@pytest.mark.long
def test_containers_of_a_bridge_know_each_other(stage, machine):
    db = serving(stage, "db", hostname="database")
    script = """set -e
        grep -q store /etc/hosts
        for name in store database db; do test "$(wget -qO- http://$name:8080)" = db; done
        test "$(hostname)" = front
        grep -q '10.9.8.7 old' /etc/hosts
        grep -q 'nameserver 10.1.2.3' /etc/resolv.conf
        grep -q 'search a.example' /etc/resolv.conf
        echo yes"""
    web = {**stage.container(script, name="web", logged=True), "memory": 64, "links": ["db:store"], "hostname": "front",
           "extraHosts": [{"hostname": "old", "ipAddress": "10.9.8.7"}], "dnsServers": ["10.1.2.3"],
           "dnsSearchDomains": ["a.example"]}
    answer = place(stage, define(stage, "bridge", web, db))
    task = stage.wait(answer["tasks"][0]["taskArn"])
    assert container(task, "web")["exitCode"] == 0, (task, stage.lines(task, "web"))


def test_in_the_machine_s_own_stack(stage, machine, outside):
    port = free_port()
    task = run(stage, "host", serving(stage, port=port, portMappings=[{"containerPort": port}]))
    assert task["attachments"] == []
    wait_until(lambda: fetch("127.0.0.1", port) == "app\n", "an answer")
    assert outside.fetch(outside.machine, port) == "app\n"
    sysctl = {**stage.container("true"), "memory": 64, "systemControls": [
        {"namespace": "net.ipv4.ip_forward", "value": "0"}]}
    answer = place(stage, define(stage, "host", sysctl))
    stopped = stage.wait(answer["tasks"][0]["taskArn"])
    assert "net.ipv4.ip_forward cannot be set" in stopped["containers"][0]["reason"], stopped


def test_without_a_network(stage, machine):
    script = "ip -o link | grep -v ' lo:' && exit 1; ping -c 1 127.0.0.1 && ! ping -c 1 -W 1 10.72.0.1"
    answer = place(stage, define(stage, "none", {**stage.container(script), "memory": 64}))
    task = stage.wait(answer["tasks"][0]["taskArn"])
    assert container(task)["exitCode"] == 0 and container(task)["networkBindings"] == [], task


@pytest.mark.long
def test_an_agent_s_restart_keeps_the_ports(stage, machine):
    definition = define(stage, "bridge", serving(stage, portMappings=[{"containerPort": 8080}]))
    task = stage.wait_running(place(stage, definition)["tasks"][0]["taskArn"])
    port = container(task)["networkBindings"][0]["hostPort"]
    machine.kill()
    assert fetch("127.0.0.1", port) == "app\n"
    machine.start()
    assert container(stage.task(task["taskArn"]))["networkBindings"][0]["hostPort"] == port
    assert fetch("127.0.0.1", port) == "app\n"
    second = stage.wait_running(place(stage, definition)["tasks"][0]["taskArn"])
    other = container(second)["networkBindings"][0]["hostPort"]
    assert other != port
    wait_until(lambda: fetch("127.0.0.1", other) == "app\n", "the second")
    stop(stage, task)
    assert fetch("127.0.0.1", port) is None and fetch("127.0.0.1", other) == "app\n"


def test_what_a_mode_has_not_is_refused(stage):
    def register(mode, **fields):
        return lambda: define(stage, mode, {**stage.container("true"), "memory": 64, **fields})
    refused(register("awsvpc", portMappings=[{"containerPort": 80, "hostPort": 81}]), "ClientException",
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
    refused(register("host", portMappings=[{"containerPort": 80, "hostPort": 81}]), "ClientException",
            "When networkMode=host, the host ports and container ports in port mappings must match.")
    refused(register("none", portMappings=[{"containerPort": 80}]), "ClientException", "networkMode=none")
    refused(register("host", portMappings=[{"containerPortRange": "80-82"}]), "ClientException", "networkMode=host")
    refused(register("host", links=["app"]), "ClientException", "Links are not supported when networkMode=host.")
