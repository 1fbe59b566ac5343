"""Machines that join by a token, from a network namespace with a cable to this machine: who may, who may not, and what
the key may do that a machine gets for it."""

import json
import os
import re
import socket
import ssl
import subprocess
import threading
import uuid

import boto3
import pytest
from support import image
from support.aws import Account, Stage, refused
from support.machine import Machine
from support.outside import Outside
from support.server import Server, bin_dir
from support.waiting import wait_until

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


@pytest.fixture(scope="module")
def place():
    place = Outside(64 + WORKER)
    yield place
    place.remove()


@pytest.fixture(scope="module")
def server(place):
    server = Server("longshore-joining-", ip=place.machine)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def account(server):
    return Account(server)


@pytest.fixture
def stage(account):
    stage = Stage(account, account.push(image.busybox()))
    yield stage
    stage.clear()


class Joining(Machine):
    """A machine that has nothing but a token."""

    def __init__(self, server, stage, place, token, name="mine"):
        super().__init__(server, stage, name, inside=place.inside())
        self.keys, self.token = {}, token

    def command(self):
        token = ["--token", self.token] if self.token else []
        return [*self.place.inside, bin_dir() / "longshore", "--data-dir", self.place.data_dir, "agent", "--endpoint",
                self.url, "--name", self.name, *token]

    def begin(self):
        with open(self.place.output, "ab") as output:
            self.agent = subprocess.Popen(self.command(), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                          env={"PATH": os.environ["PATH"]})
        return self

    def turned_away(self):
        """It must end, and say why."""
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == 1, done.stderr
        return done.stderr

    @property
    def kept(self):
        return self.place.data_dir / "joined.json"

    def client(self, service):
        answer = json.loads(self.kept.read_text())["answer"]
        return boto3.client(service, region_name=answer["region"], endpoint_url=self.url,
                            aws_access_key_id=answer["accessKeyId"], aws_secret_access_key=answer["secretAccessKey"],
                            verify=str(self.stage.account.server.ca))


def token(server, cluster, *arguments):
    return server.run("token", "create", "--cluster", cluster, *arguments).stdout.strip()


def tokens(server):
    return {one["id"]: one for one in json.loads(server.run("token", "list", "--json").stdout)}


def sleeping(stage, logged=False, script="exec sleep 3600"):
    return stage.ecs.register_task_definition(family=stage.name, networkMode="none", containerDefinitions=[
        {**stage.container(script, logged=logged), "memory": 64}])["taskDefinition"]["taskDefinitionArn"]


def run_on(stage, machine, definition):
    answer = stage.ecs.start_task(cluster=stage.cluster, taskDefinition=definition,
                                  containerInstances=[machine.known()["containerInstanceArn"]])
    assert answer["failures"] == [], answer
    return answer["tasks"][0]["taskArn"]


def test_a_token_makes_a_container_instance_that_outlives_restarts(server, stage, place):
    word = token(server, stage.cluster)
    shown = tokens(server)[word.split(".")[1]]
    assert (shown["cluster"], shown["usesLeft"]) == (stage.cluster, 1) and "token" not in shown
    machine = Joining(server, stage, place, word).start()
    try:
        arn = machine.known()["containerInstanceArn"]
        assert word.split(".")[1] not in tokens(server), "it has been used"
        assert machine.kept.stat().st_mode & 0o777 == 0o600 and word.split(".")[2] not in machine.kept.read_text()
        # Its images and its logs go by its key.
        task = stage.wait(run_on(stage, machine, sleeping(stage, logged=True, script="echo joined")))
        assert task["containers"][0].get("exitCode") == 0, task
        assert stage.lines(task) == ["joined"]
        running = stage.wait_running(run_on(stage, machine, sleeping(stage)))
        machine.kill()
        machine.token = None
        machine.start()
        assert machine.known()["containerInstanceArn"] == arn
        # With the token still on its command line as well.
        machine.kill()
        machine.token = word
        machine.start()
        assert machine.known()["containerInstanceArn"] == arn
        assert stage.task(running["taskArn"])["lastStatus"] == "RUNNING"
    finally:
        machine.down()


def test_tokens_that_let_nobody_in(server, stage, place):
    used, revoked, expired = (token(server, stage.cluster, *more) for more in ([], [], ["--ttl", "1ms"]))
    machine = Joining(server, stage, place, used, "first").start()
    try:
        server.run("token", "revoke", revoked.split(".")[1])
        other = used.split(".")
        other[2] = "0" * 64
        for word, why in ((used, "used as often"), (revoked, "not known here"), (expired, "has expired"),
                          (".".join(other), "not known here")):
            second = Joining(server, stage, place, word, "second")
            told = second.turned_away()
            assert why in told and "longshore token create" in told, told
            assert "answer" not in second.kept.read_text()
            second.place.remove()
        assert len(stage.ecs.list_container_instances(cluster=stage.cluster)["containerInstanceArns"]) == 1
        assert server.run("token", "revoke", revoked.split(".")[1], check=False).returncode == 1
        nowhere = server.run("token", "create", "--cluster", "none-such", check=False)
        assert nowhere.returncode == 1 and "no cluster none-such" in nowhere.stderr, nowhere.stderr
    finally:
        machine.down()


def test_of_two_machines_with_one_token_one_joins(server, stage):
    word = token(server, stage.cluster).split(".")
    answers = []

    def join(attempt):
        answers.append(exchange(server, word, attempt))
    racing = [threading.Thread(target=join, args=[str(n)]) for n in range(8)]
    for one in racing:
        one.start()
    for one in racing:
        one.join()
    assert sorted(status for status, _ in answers) == [200] + [403] * 7, answers


def exchange(server, word, attempt):
    connection = server.connection(timeout=60)
    connection.request("POST", "/longshore/join", json.dumps({"id": word[1], "secret": word[2], "attempt": attempt}))
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_an_answer_that_was_lost_is_given_again_after_a_kill(own_server):
    own_server.start()
    word = token(own_server, "default").split(".")
    status, first = exchange(own_server, word, "one")
    assert status == 200
    # The machine never saw it: it asks again, with what it wrote down.
    own_server.kill()
    own_server.start()
    assert exchange(own_server, word, "one") == (200, first)
    assert exchange(own_server, word, "two")[0] == 403
    # A token that nobody has used yet is there, too.
    fresh = token(own_server, "default").split(".")
    own_server.kill()
    own_server.start()
    assert exchange(own_server, fresh, "three")[0] == 200


def test_whoever_has_another_authority_is_told_nothing(server, stage, place, tmp_path):
    """A man in the middle, with a certificate for the very address."""
    word = token(server, stage.cluster)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=Longshore", "-addext", f"subjectAltName=IP:{place.machine}", "-keyout",
                    tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    heard = []
    with socket.create_server((place.machine, 0)) as listener:
        def listen():
            plain, _ = listener.accept()
            plain.settimeout(30)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    heard.append(secure.recv(65536))
            except OSError as error:
                heard.append(error)
        listening = threading.Thread(target=listen)
        listening.start()
        machine = Joining(server, stage, place, word)
        machine.url = f"https://{place.machine}:{listener.getsockname()[1]}"
        told = machine.turned_away()
        listening.join()
    assert "another certificate authority" in told and "told nothing" in told, told
    # An alert in the middle of the handshake, and no byte of what the machine had to say.
    assert len(heard) == 1 and isinstance(heard[0], OSError), heard
    machine.place.remove()
    # The token is as good as before.
    assert exchange(server, word.split("."), "after")[0] == 200


def test_nothing_is_said_without_tls(server, stage, place):
    word = token(server, stage.cluster)
    machine = Joining(server, stage, place, word)
    machine.url = machine.url.replace("https", "http")
    told = machine.turned_away()
    assert "TLS" in told, told
    machine.place.remove()
    done = subprocess.run([*place.inside(), bin_dir() / "longshore", "agent", "--endpoint", server.url, "--token",
                           word[:-1]], capture_output=True, text=True)
    assert done.returncode == 2 and "no join token" in done.stderr, done.stderr


@pytest.fixture
def two(server, stage, place):
    word = token(server, stage.cluster, "--uses", "2")
    both = [Joining(server, stage, place, word, f"m{n}").start() for n in range(2)]
    yield both
    for machine in both:
        machine.down()


def test_a_key_is_for_its_own_instance_alone(server, account, stage, two):
    mine, other = two
    ecs, logs, ecr = (mine.client(service) for service in ("ecs", "logs", "ecr"))
    theirs = other.known()["containerInstanceArn"]
    task = stage.wait_running(run_on(stage, other, sleeping(stage, logged=True, script="echo x; exec sleep 3600")))
    resources = [{"name": "CPU", "type": "INTEGER", "integerValue": 1024}]
    refused(lambda: ecs.register_container_instance(cluster=stage.cluster, containerInstanceArn=theirs,
                                                    totalResources=resources), "InvalidParameterException")
    refused(lambda: ecs.submit_task_state_change(cluster=stage.cluster, task=task["taskArn"], status="STOPPED"),
            "AccessDeniedException", "another container instance")
    refused(lambda: ecs.submit_container_state_change(cluster=stage.cluster, task=task["taskArn"], containerName="app",
                                                      status="STOPPED", exitCode=1), "AccessDeniedException")
    refused(lambda: ecs.list_tags_for_resource(resourceArn=theirs), "AccessDeniedException")
    assert ecs.list_tags_for_resource(resourceArn=mine.known()["containerInstanceArn"])["tags"] == []
    event = [{"timestamp": 1, "message": "lie"}]
    wait_until(lambda: stage.lines(task) == ["x"], "the task's own line")
    for group, stream in ((stage.group, stage.stream(task)), (stage.group, "t/app/none"), ("/other", "s")):
        refused(lambda: logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=event),
                "AccessDeniedException")
    repository = stage.image.split("/", 1)[1].split(":")[0]
    refused(lambda: ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "latest"}]),
            "AccessDeniedException")
    for call in (ecs.list_clusters, lambda: ecs.describe_tasks(cluster=stage.cluster, tasks=[task["taskArn"]]),
                 lambda: ecs.run_task(cluster=stage.cluster, taskDefinition=stage.name),
                 lambda: ecs.deregister_container_instance(cluster=stage.cluster, containerInstance=theirs),
                 lambda: ecs.create_cluster(clusterName=str(uuid.uuid4())),
                 lambda: ecs.register_container_instance(cluster="default", totalResources=resources),
                 lambda: ecr.create_repository(repositoryName="mine"), ecr.describe_repositories,
                 lambda: logs.get_log_events(logGroupName=stage.group, logStreamName=stage.stream(task))):
        refused(call, "AccessDeniedException")
    assert "longshore-instance/" in mine.client("sts").get_caller_identity()["Arn"]
    now = stage.task(task["taskArn"])
    assert now["lastStatus"] == "RUNNING" and stage.lines(task) == ["x"]


def test_an_instance_that_is_deregistered_signs_nothing_and_may_join_anew(server, stage, place):
    word = token(server, stage.cluster)
    machine = Joining(server, stage, place, word).start()
    try:
        arn = machine.known()["containerInstanceArn"]
        stage.ecs.deregister_container_instance(cluster=stage.cluster, containerInstance=arn, force=True)
        refused(lambda: machine.client("ecs").discover_poll_endpoint(cluster=stage.cluster), "UnrecognizedClientException")
        machine.end()
        told = machine.turned_away()
        assert "was deregistered" in told and "longshore token create" in told, told
        machine.token = token(server, stage.cluster)
        machine.begin()

        def back():
            known = machine.known()
            return known and known["agentConnected"] and known["containerInstanceArn"]
        assert wait_until(back, "the machine to have joined anew") != arn
    finally:
        machine.down()


def test_a_copy_of_a_joined_machine_is_refused(server, stage, place):
    machine = Joining(server, stage, place, token(server, stage.cluster), "original").start()
    copy = Joining(server, stage, place, None, "copy")
    try:
        copy.place.data_dir.mkdir(parents=True)
        copy.kept.write_text(machine.kept.read_text())
        copy.begin()
        told = wait_until(lambda: (text := copy.place.output.read_text()) and "not registered yet" in text and text,
                          "the copy to be refused")
        assert "says that it is the same" in told, told
        assert machine.instance()["containerInstanceArn"] and copy.known() is None
    finally:
        copy.down()
        machine.down()


def test_a_token_is_shown_to_nobody_again(server, stage):
    word = token(server, stage.cluster)
    told = server.run("token", "list").stdout
    assert word.split(".")[1] in told and word.split(".")[2] not in told
    assert re.search(r"TOKEN\s+CLUSTER\s+MACHINES", told), told
    state = b"".join(path.read_bytes() for path in server.data_dir.glob("state.db*"))
    assert word.split(".")[2].encode() not in state
