"""Images of another registry, through a cache rule: the other registry is a second Longshore."""

import json
import subprocess

import pytest
from support import image
from support.aws import Account, Stage
from support.server import Server
from support.waiting import wait_until

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/peer-a1B2c3"


@pytest.fixture
def upstream():
    server = Server("longshore-own-").start()
    yield server
    server.down()
    assert server.leftovers() == []
    server.remove()


def pull(server, account, name, where):
    words = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--src-creds", f"AWS:{account.password()}",
             f"docker://{server.host}/{name}", f"oci:{where}:v1"]
    subprocess.run(words, check=True, capture_output=True, timeout=180)
    return json.loads((where / "index.json").read_text())["manifests"][0]["digest"]


@pytest.mark.long
def test_a_task_runs_from_what_another_registry_has(own_server, upstream, tmp_path):
    there = Account(upstream)
    picture = image.busybox(extra=[("mark", b"from afar", 0o644)])
    there.push(picture, there.repository("team/app"), "v1")
    other = image.busybox(extra=[("other", b"other", 0o644)])
    there.push(other, there.repository("team/other"), "v1")

    own_server.start()
    account = Account(own_server)
    secrets = own_server.data_dir / "registry/upstream-secrets.json"
    secrets.write_text(json.dumps({"ecr-pullthroughcache/peer": {"username": "AWS", "accessToken": there.password()}}))
    account.ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="peer", upstreamRegistryUrl=upstream.host, credentialArn=SECRET)
    assert account.ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="peer")["isValid"]

    # A task is the first who asks for it.
    stage = Stage(account, f"{own_server.host}/peer/team/app:v1")
    assert stage.output("cat /mark") == ["from afar"]
    assert pull(own_server, account, "peer/team/other:v1", tmp_path / "first") == other.digest

    def cached():
        names = ["peer/team/app", "peer/team/other"]
        return all(account.ecr.describe_images(repositoryName=name)["imageDetails"] for name in names)
    wait_until(cached, "both images to be stored")
    upstream.kill()
    own_server.kill()
    own_server.start()
    assert pull(own_server, account, "peer/team/other:v1", tmp_path / "second") == other.digest
    assert pull(own_server, account, "peer/team/app:v1", tmp_path / "third") == picture.digest
    told = account.ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="peer")
    assert not told["isValid"] and upstream.host in told["failure"]
    assert own_server.run("registry", "verify").stdout == ""
