"""Clients and agents on another machine, which is a network namespace with a cable to this one: TLS, and nothing else."""

import os
import socket
import ssl
import subprocess
import sys

import pytest
from support import image
from support.aws import Account, Stage
from support.machine import Machine
from support.outside import Outside
from support.raw import ECS, sign
from support.server import Server, bin_dir, context

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


@pytest.fixture(scope="module")
def place():
    place = Outside(80 + WORKER)
    yield place
    place.remove()


@pytest.fixture(scope="module")
def server():
    """Of this machine's own clients it is the one on 127.0.0.1, as ever."""
    server = Server("longshore-elsewhere-", everywhere=True)
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


@pytest.fixture
def there(server, place, account):
    """What a client on the other machine is told, and how one is called there."""
    return There(server, place, account)


class There:
    def __init__(self, server, place, account):
        self.place, self.host = place, f"{place.machine}:{server.port}"
        self.url, self.ca = f"https://{self.host}", str(server.data_dir / "ca.pem")
        self.environment = {**account.environment, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": self.url,
                            "AWS_CA_BUNDLE": self.ca}

    def run(self, *words, check=True, environment=None, **options):
        done = subprocess.run([*self.place.inside(), *map(str, words)], capture_output=True, text=True, timeout=120,
                              env=environment or self.environment, **options)
        assert not check or done.returncode == 0, (done.stdout, done.stderr)
        return done


def test_aws_s_clients_with_the_authority_and_none_without(there, stage):
    aws = [sys.executable, "-m", "awscli", "ecs", "list-clusters", "--output", "text"]
    assert stage.name in there.run(*aws).stdout
    strangers = {name: value for name, value in there.environment.items() if name != "AWS_CA_BUNDLE"}
    done = there.run(*aws, check=False, environment=strangers)
    assert done.returncode != 0 and "certificate verify failed" in done.stderr.lower(), done.stderr


def test_longshore_s_own_commands(there, stage, tmp_path):
    done = there.run(bin_dir() / "longshore", "ps", "--cluster", stage.name, cwd=tmp_path)
    assert "no tasks" in (done.stdout + done.stderr).lower() or done.stdout, done
    told = there.run(bin_dir() / "longshore", "key", "create", stage.name, cwd=tmp_path).stdout
    assert f"export AWS_ENDPOINT_URL={there.url}\n" in told and f"export AWS_CA_BUNDLE={there.ca}\n" in told, told


def test_the_certificate_is_one_that_every_library_takes(server, place, there):
    with socket.create_connection((place.machine, server.port)) as plain:
        with context(there.ca).wrap_socket(plain, server_hostname=place.machine) as secure:
            names = {name for _, name in secure.getpeercert()["subjectAltName"]}
            assert secure.version() == "TLSv1.3"
    assert {place.machine, "127.0.0.1", "localhost", socket.gethostname()} <= names, names
    strict = ["openssl", "s_client", "-connect", there.host, "-CAfile", there.ca, "-x509_strict",
              "-verify_return_error", "-verify_ip", place.machine, "-brief"]
    there.run(*strict, input="")
    there.run(*strict, "-tls1_2", input="")
    assert there.run(*strict, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", input="", check=False).returncode != 0


@pytest.mark.parametrize("path, kind, code", [
    ("/", "json", '"__type":"AccessDeniedException"'), ("/", None, "<Code>AccessDenied</Code>"),
    ("/v2/", None, '"code":"DENIED"'), ("/longshore/drain", None, "<Code>AccessDenied</Code>")])
def test_without_tls_nobody_from_elsewhere_is_answered(there, path, kind, code):
    target = ["-H", f"X-Amz-Target: {ECS}.ListClusters"] if kind else []
    done = there.run("curl", "-sS", "-w", "\n%{http_code}", "-d", "{}", *target, f"http://{there.host}{path}")
    body, status = done.stdout.rsplit("\n", 1)
    assert status in ("400", "403") and code in body, done.stdout
    assert there.url in body and "longshore ca" in body, body


def test_what_is_signed_but_not_over_tls_changes_nothing(there, account, stage):
    headers, body = sign(account, "CreateCluster", f'{{"clusterName": "{stage.name}-plain"}}')
    fields = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    done = there.run("curl", "-sS", "-d", body, *fields, f"http://{there.host}/")
    assert "AccessDeniedException" in done.stdout, done.stdout
    assert not any(arn.endswith("-plain") for arn in account.ecs.list_clusters()["clusterArns"])
    # The very same is carried out on this machine.
    subprocess.run(["curl", "-sS", "-d", body, *fields, f"{account.server.url}/"], check=True, capture_output=True)
    assert any(arn.endswith("-plain") for arn in account.ecs.list_clusters()["clusterArns"])


def test_images_are_pushed_and_pulled(there, account, tmp_path):
    name = account.repository()
    picture = image.busybox()
    image.write_layout(tmp_path / "in", [picture], "v1")
    certificates = tmp_path / "certs.d" / there.host
    certificates.mkdir(parents=True)
    (certificates / "ca.crt").write_text(open(there.ca).read())
    there.environment["HOME"] = str(tmp_path)
    there.run("skopeo", "login", "--cert-dir", certificates, "--authfile", tmp_path / "auth", "-u", "AWS",
              "--password-stdin", there.host, input=account.password())
    keys = ["--authfile", tmp_path / "auth"]
    there.run("skopeo", "copy", *keys, "--dest-cert-dir", certificates, f"oci:{tmp_path}/in:v1",
              f"docker://{there.host}/{name}:v1")
    there.run("skopeo", "copy", *keys, "--src-cert-dir", certificates, f"docker://{there.host}/{name}:v1",
              f"oci:{tmp_path}/out:v1")
    found, = account.ecr.describe_images(repositoryName=name)["imageDetails"]
    assert found["imageDigest"] == picture.digest
    done = there.run("skopeo", "inspect", *keys, f"docker://{there.host}/{name}:v1", check=False)
    assert done.returncode != 0 and "certificate" in done.stderr, done.stderr


def test_answers_name_us_as_the_caller_did(server, place, there, account, monkeypatch):
    monkeypatch.setitem(account.environment, "AWS_ENDPOINT_URL", there.url)
    monkeypatch.setitem(account.environment, "AWS_CA_BUNDLE", there.ca)
    ecr, ecs = account.client("ecr"), account.client("ecs")
    name = account.repository()
    assert ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"] == there.url
    repository, = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert repository["repositoryUri"] == f"{there.host}/{name}"
    found = ecs.discover_poll_endpoint()
    assert (found["endpoint"], found["telemetryEndpoint"]) == (f"{there.url}/acs/", f"{there.url}/tcs/")
    pusher = image.Pusher(there.host, account.password(), ca=there.ca)
    picture = image.busybox()
    pusher.push(picture, name, "v1")
    layer = next(digest for digest in picture.blobs if digest.encode() in picture.manifest)
    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=layer)["downloadUrl"]
    assert url.startswith(f"{there.url}/v2/"), url
    _, headers, _ = image.Pusher(there.host, "wrong", ca=there.ca).call("GET", "/v2/")
    assert any(f'realm="{there.url}/v2/token"' in value for value in headers.get_all("WWW-Authenticate")), headers
    here = account.ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryUri"]
    assert here == f"{server.host}/{name}"


def test_an_agent_runs_what_this_machine_calls_by_its_loopback(server, stage, place, there):
    """Its images and its logs come and go over TLS, though the definition says 127.0.0.1."""
    assert stage.image.startswith("127.0.0.1:")
    machine = Machine(server, stage, inside=place.inside(), url=there.url).start()
    try:
        definition = stage.ecs.register_task_definition(family=stage.name, networkMode="none", containerDefinitions=[
            {**stage.container("echo from elsewhere", logged=True), "memory": 64}])
        answer = stage.ecs.run_task(cluster=stage.cluster, launchType="EC2",
                                    taskDefinition=definition["taskDefinition"]["taskDefinitionArn"])
        task = stage.wait(answer["tasks"][0]["taskArn"])
        assert task["containers"][0].get("exitCode") == 0, task
        assert stage.lines(task) == ["from elsewhere"]
    finally:
        machine.down()


def test_an_agent_does_not_go_elsewhere_without_tls(there, tmp_path):
    plain = there.url.replace("https", "http")
    done = there.run(bin_dir() / "longshore", "--data-dir", tmp_path / "a", "agent", "--endpoint", plain, check=False)
    assert done.returncode == 1 and plain in done.stderr and "longshore ca" in done.stderr, done.stderr


def test_another_s_authority_is_not_believed(there, stage, own_server):
    """The server has no certificate of it, so nothing is said to it, and nothing registered."""
    own_server.start()
    agent = subprocess.Popen([*there.place.inside(), bin_dir() / "longshore", "--data-dir", own_server.home / "agent",
                              "--ca", own_server.data_dir / "ca.pem", "agent", "--endpoint", there.url],
                             env=there.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        told = next(line for line in agent.stderr if "not registered yet" in line)
        assert "UnknownIssuer" in told and "longshore ca" in told, told
    finally:
        agent.terminate()
        agent.communicate(timeout=60)
        there.run(bin_dir() / "longshore", "--data-dir", own_server.home / "agent", "down")
    there.environment["AWS_CA_BUNDLE"] = str(own_server.data_dir / "ca.pem")
    done = there.run(bin_dir() / "longshore", "ps", "--cluster", stage.name, check=False, cwd=own_server.home)
    assert done.returncode == 1 and "certificate" in done.stderr.lower(), done.stderr


def test_the_authority_outlives_a_kill(own_server):
    own_server.start()
    before = own_server.run("ca").stdout
    assert ssl.PEM_cert_to_DER_cert(before) and "PRIVATE" not in before
    own_server.kill()
    own_server.start()
    assert own_server.run("ca").stdout == before


def test_a_bad_name_is_refused_at_the_start(own_server):
    done = own_server.run("up", "--no-sample", "--tls-name", "https://hub.lan", check=False)
    assert done.returncode == 2 and "HOST:PORT" in done.stderr, done.stderr
