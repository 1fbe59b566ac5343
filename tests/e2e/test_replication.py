"""Images that are brought to another server, which may be away for a while."""

import json
import os

import pytest
from support import image
from support.aws import Account, Stage
from support.outside import Outside
from support.server import Server
from support.waiting import wait_until

ELSEWHERE = "111122223333"


WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


@pytest.fixture
def peer():
    """At an address that isn't the loopback's, so that TLS is spoken."""
    place = Outside(96 + WORKER)
    server = Server("longshore-own-", ip=place.machine).start("--account", ELSEWHERE)
    yield server
    server.down()
    assert server.leftovers() == []
    server.remove()
    place.remove()


@pytest.mark.long
def test_a_push_comes_to_another_server(own_server, peer, tmp_path):
    there = Account(peer)
    there.ecr.create_repository_creation_template(
        prefix="team", appliedFor=["REPLICATION"], resourceTags=[{"Key": "from", "Value": "elsewhere"}])
    # A key that may bring images, and nothing else.
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*", "Action": [
        "ecr:GetAuthorizationToken", "ecr:ReplicateImage", "ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]}}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    peer.run("key", "create", "replication", "--policy", str(tmp_path / "policy.json"))
    key = json.loads(peer.run("env", "--format", "json", "--key", "replication").stdout)

    own_server.start()
    account = Account(own_server)
    rule = {"destinations": [{"region": there.region, "registryId": ELSEWHERE}],
            "repositoryFilters": [{"filter": "team/", "filterType": "PREFIX_MATCH"}]}
    (own_server.data_dir / "registry/peers.json").write_text(json.dumps([{
        "registryId": ELSEWHERE, "region": there.region, "endpoint": peer.url, "caFile": peer.ca,
        "accessKeyId": key["AWS_ACCESS_KEY_ID"], "secretAccessKey": key["AWS_SECRET_ACCESS_KEY"]}]))
    account.ecr.put_replication_configuration(replicationConfiguration={"rules": [rule]})
    assert account.ecr.describe_registry()["replicationConfiguration"]["rules"] == [rule]

    def status(repository, tag):
        told = account.ecr.describe_image_replication_status(repositoryName=repository, imageId={"imageTag": tag})
        return [(entry["registryId"], entry["status"]) for entry in told["replicationStatuses"]]

    picture = image.busybox(extra=[("mark", b"brought", 0o644)])
    account.push(picture, account.repository("team/app"), "v1")
    wait_until(lambda: status("team/app", "v1") == [(ELSEWHERE, "COMPLETE")], "the image to be there")
    found, = there.ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert (found["imageDigest"], found["imageTags"]) == (picture.digest, ["v1"])
    arn = there.ecr.describe_repositories(repositoryNames=["team/app"])["repositories"][0]["repositoryArn"]
    assert there.ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "from", "Value": "elsewhere"}]
    stage = Stage(there, f"{peer.host}/team/app:v1")
    assert stage.output("cat /mark") == ["brought"]

    # What the rule isn't for stays here.
    account.push(picture, account.repository("other"), "v1")
    assert status("other", "v1") == []

    # The peer is away, and then this server is killed: what was acknowledged gets there all the same.
    peer.kill()
    second = image.busybox(extra=[("mark", b"later", 0o644)])
    account.push(second, "team/app", "v2")
    assert status("team/app", "v2") == [(ELSEWHERE, "IN_PROGRESS")]
    own_server.kill()
    own_server.start()
    assert status("team/app", "v2") == [(ELSEWHERE, "IN_PROGRESS")]
    peer.start()
    wait_until(lambda: status("team/app", "v2") == [(ELSEWHERE, "COMPLETE")], "the second image to be there")
    assert {tag for entry in there.ecr.describe_images(repositoryName="team/app")["imageDetails"]
            for tag in entry["imageTags"]} == {"v1", "v2"}
    # A deletion here takes nothing there.
    account.ecr.delete_repository(repositoryName="team/app", force=True)
    assert len(there.ecr.describe_images(repositoryName="team/app")["imageDetails"]) == 2

    # A key that is gone is a failure that is told.
    peer.run("key", "delete", "replication")
    account.push(picture, account.repository("team/refused"), "v1")
    wait_until(lambda: status("team/refused", "v1") == [(ELSEWHERE, "FAILED")], "the refusal")
    assert peer.run("registry", "verify").stdout == ""
