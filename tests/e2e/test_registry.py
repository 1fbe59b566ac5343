"""The registry under the tools that people push and pull with."""

import json
import os
import subprocess
import tempfile
import time

import pytest
from support import image
from support.aws import refused, unique
from support.server import ROOT
from support.waiting import wait_until

AWS = ROOT / "target/venv/bin/aws"


def run(*words, check=True, timeout=180, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@pytest.fixture
def skopeo(account):
    """skopeo's copy and inspect, with the password in place."""
    def call(command, *words, check=True, password=None):
        credentials = f"AWS:{password or account.password()}"
        if command == "copy":
            where = ["--src-tls-verify=false", "--dest-tls-verify=false"]
            for side, word in (("src", words[-2]), ("dest", words[-1])):
                if word.startswith("docker://"):
                    where += [f"--{side}-creds", credentials]
        else:
            where = ["--tls-verify=false", "--creds", credentials]
        return run("skopeo", "--insecure-policy", command, *where, *words, check=check)
    return call


def test_skopeo_there_and_back(account, skopeo, tmp_path):
    repository = account.repository()
    pushed = image.write_layout(tmp_path / "in", [image.busybox()], "v1")
    skopeo("copy", f"oci:{tmp_path}/in:v1", f"docker://{account.server.host}/{repository}:v1")
    skopeo("copy", f"docker://{account.server.host}/{repository}:v1", f"oci:{tmp_path}/out:v1")
    top = json.loads((tmp_path / "out/index.json").read_text())["manifests"][0]
    assert top["digest"] == pushed
    seen = account.ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert [(entry["imageDigest"], entry["imageTags"]) for entry in seen] == [(pushed, ["v1"])]
    assert seen[0]["imageSizeInBytes"] > 0 and seen[0]["imagePushedAt"]


def test_an_index_over_two_architectures(account, skopeo, tmp_path, stage):
    images = [image.busybox(), image.busybox(extra=[("arm", b"x", 0o644)], architecture="arm64")]
    repository = account.repository()
    pushed = image.write_layout(tmp_path / "in", images, "v1")
    where = f"{account.server.host}/{repository}:v1"
    skopeo("copy", "--all", f"oci:{tmp_path}/in:v1", f"docker://{where}")
    skopeo("copy", "--all", f"docker://{where}", f"oci:{tmp_path}/out:v1")
    assert json.loads((tmp_path / "out/index.json").read_text())["manifests"][0]["digest"] == pushed
    for one in images:
        assert (tmp_path / "out/blobs/sha256" / one.digest.removeprefix("sha256:")).exists()
    stage.image = where
    assert stage.output("test ! -e /arm && echo mine") == ["mine"]


def test_buildah_push(account, stage, tmp_path):
    repository = account.repository()
    buildah = ["buildah", "--root", tmp_path / "root", "--runroot", tmp_path / "run", "--storage-driver", "vfs"]
    (tmp_path / "hello").write_text("#!/bin/sh\necho built\n")
    (tmp_path / "hello").chmod(0o755)
    built = run(*buildah, "from", "scratch").stdout.strip()
    run(*buildah, "copy", built, image.BUSYBOX, "/bin/busybox")
    run(*buildah, "copy", built, image.BUSYBOX, "/bin/sh")
    run(*buildah, "copy", built, tmp_path / "hello", "/hello")
    run(*buildah, "config", "--cmd", '["/hello"]', built)
    run(*buildah, "commit", built, "hello")
    where = f"{account.server.host}/{repository}:built"
    run(*buildah, "push", "--tls-verify=false", "--creds", f"AWS:{account.password()}", "hello", f"docker://{where}")
    stage.image = where
    task = stage.wait(stage.run(stage.register(stage.container(logged=True))))
    assert stage.lines(task) == ["built"], task
    run(*buildah, "rm", built)


@pytest.fixture(scope="module")
def docker():
    """A private daemon: no bridge, no iptables, directories of its own."""
    with tempfile.TemporaryDirectory(prefix="lsd-", ignore_cleanup_errors=True) as home:
        socket = f"unix://{home}/d.sock"
        with open(f"{home}/log", "wb") as log:
            daemon = subprocess.Popen(
                ["dockerd", "-H", socket, "--data-root", f"{home}/data", "--exec-root", f"{home}/exec",
                 "--pidfile", f"{home}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false",
                 "--storage-driver=vfs"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        environment = {"PATH": os.environ["PATH"], "HOME": home, "DOCKER_HOST": socket}
        def docker(*words, **options):
            return run("docker", *words, env=environment, **options)
        try:
            wait_until(lambda: daemon.poll() is not None or docker("version", check=False).returncode == 0,
                       "dockerd to answer", every=0.3)
            assert daemon.poll() is None, open(f"{home}/log").read()[-3000:]
            yield docker
        finally:
            daemon.terminate()
            daemon.wait(60)


@pytest.mark.long
def test_docker_push_and_pull(account, docker, stage, skopeo, tmp_path):
    image.write_layout(tmp_path / "in", [image.busybox()], "v1")
    run("skopeo", "--insecure-policy", "copy", f"oci:{tmp_path}/in:v1", f"docker-archive:{tmp_path}/in.tar:local:v1")
    docker("load", "-i", tmp_path / "in.tar")
    repository = account.repository(unique("team/app"))
    uri = account.ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    assert uri == f"{account.server.host}/{repository}"
    docker("tag", "local:v1", f"{uri}:v1")
    assert docker("push", f"{uri}:v1", check=False).returncode != 0, "nobody has logged in"

    password = run(AWS, "ecr", "get-login-password", env={"PATH": os.environ["PATH"], **account.environment}).stdout
    assert docker("login", "-u", "AWS", "--password-stdin", account.server.host, input="wrong",
                  check=False).returncode != 0
    docker("login", "-u", "AWS", "--password-stdin", account.server.host, input=password)
    pushed = docker("push", f"{uri}:v1").stdout
    digest = account.ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"]
    assert digest in pushed
    docker("rmi", f"{uri}:v1", "local:v1")
    docker("pull", f"{uri}:v1")
    docker("rmi", f"{uri}:v1")
    docker("pull", f"{uri}@{digest}")
    # The same image runs as a task.
    stage.image = f"{uri}:v1"
    task = stage.finish("exit 0")
    assert task["containers"][0]["exitCode"] == 0 and task["containers"][0]["imageDigest"] == digest


def test_ecr_names_in_task_definitions_mean_this_registry(account, stage):
    repository = account.repository()
    picture = image.busybox(extra=[("mark", repository.encode(), 0o644)])
    account.push(picture, repository, "v1")
    front = f"{account.account_id()}.dkr.ecr.{account.region}.amazonaws.com"
    for name in (f"{front}/{repository}:v1", f"{front}/{repository}@{picture.digest}"):
        stage.image = name
        task = stage.finish("cat /mark", logged=True)
        assert stage.lines(task) == [repository], task
        assert task["containers"][0]["image"] == name
        assert task["containers"][0]["imageDigest"] == picture.digest


def test_a_moved_tag_is_noticed(account, stage):
    repository = account.repository()
    for word in ("one", "two"):
        stage.image = account.push(image.busybox(extra=[("mark", word.encode(), 0o644)]), repository, "latest")
        assert stage.output("cat /mark") == [word]


@pytest.mark.parametrize("password", ["", "wrong"])
def test_wrong_passwords(account, password):
    repository = account.repository()
    status, headers, told = image.Pusher(account.server.host, password).call("GET", f"/v2/{repository}/tags/list")
    assert status == 401 and headers["www-authenticate"]
    assert json.loads(told)["errors"][0]["code"] == "UNAUTHORIZED"


def test_a_password_of_another_user(account):
    pusher = image.Pusher(account.server.host, account.password(), user="root")
    assert pusher.call("GET", "/v2/")[0] == 401


def test_pushing_to_a_repository_that_is_not_there(account):
    pusher = image.Pusher(account.server.host, account.password())
    name = unique("missing")
    status, _, told = pusher.call("POST", f"/v2/{name}/blobs/uploads/")
    assert status == 404 and json.loads(told)["errors"][0]["code"] == "NAME_UNKNOWN"
    refused(lambda: account.ecr.describe_repositories(repositoryNames=[name]), "RepositoryNotFoundException")


def test_a_blob_that_is_not_what_its_digest_says(account):
    pusher = image.Pusher(account.server.host, account.password())
    repository = account.repository()
    _, headers, _ = pusher.call("POST", f"/v2/{repository}/blobs/uploads/")
    place = headers["Location"].removeprefix(account.server.url)
    place += ("&" if "?" in place else "?") + "digest=" + image.digest(b"right")
    status, _, told = pusher.call("PUT", place, b"wrong")
    assert status == 400 and json.loads(told)["errors"][0]["code"] == "DIGEST_INVALID"
    assert pusher.call("HEAD", f"/v2/{repository}/blobs/{image.digest(b'right')}")[0] == 404


def test_repositories(account):
    name = unique("repo")
    made = account.ecr.create_repository(repositoryName=name)["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:{account.region}:000000000000:repository/{name}"
    refused(lambda: account.ecr.create_repository(repositoryName=name), "RepositoryAlreadyExistsException")
    account.push(image.busybox(), name, "v1")
    assert account.ecr.list_images(repositoryName=name)["imageIds"][0]["imageTag"] == "v1"
    refused(lambda: account.ecr.delete_repository(repositoryName=name), "RepositoryNotEmptyException")
    account.ecr.delete_repository(repositoryName=name, force=True)
    refused(lambda: account.ecr.list_images(repositoryName=name), "RepositoryNotFoundException")


def test_token_s_life(account):
    data = account.ecr.get_authorization_token()["authorizationData"][0]
    hours = (data["expiresAt"].timestamp() - time.time()) / 3600
    assert 11 < hours <= 12.1 and data["proxyEndpoint"].startswith("http")
