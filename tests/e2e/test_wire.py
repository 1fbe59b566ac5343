"""The protocol's edges: what SDKs never send, and the exact form of answers."""

import json
import re

import botocore.exceptions
import pytest
from support import raw
from support.aws import unique

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_every_answer_has_a_request_id_and_the_content_type(account):
    for answer in (raw.call(account, "ListClusters"), raw.call(account, "ListClusters", "{")):
        assert UUID.fullmatch(answer.headers["x-amzn-requestid"])
        assert answer.headers["content-type"] == "application/x-amz-json-1.1"


@pytest.mark.parametrize("body", ["{", '{"clusterName":}', "[]", '"text"', "nothing", "\x00\x01", '{"clusterName":1}',
                                  '{"tags":{}}', '{"tags":[1]}', '{"clusterName":["a"]}'])
def test_bodies_that_are_not_the_input(account, body):
    before = account.ecs.list_clusters()["clusterArns"]
    answer = raw.call(account, "CreateCluster", body)
    assert (answer.status, answer.code) == (400, "SerializationException")
    assert account.ecs.list_clusters()["clusterArns"] == before


def test_null_is_absence(account):
    name = unique("null")
    answer = raw.call(account, "CreateCluster", json.dumps({"clusterName": name, "tags": None, "settings": None}))
    assert answer.status == 200 and answer.json["cluster"]["clusterName"] == name


def test_members_nobody_knows_are_ignored(account):
    """As AWS does: a newer SDK may send more."""
    name = unique("more")
    answer = raw.call(account, "CreateCluster", json.dumps({"clusterName": name, "fromTheFuture": {"a": [1]}}))
    assert answer.status == 200


def test_nesting_without_end(account):
    answer = raw.call(account, "CreateCluster", '{"tags":' + "[" * 20_000 + "]" * 20_000 + "}")
    assert (answer.status, answer.code) == (400, "SerializationException")


def test_unknown_operation(account):
    answer = raw.call(account, "MakeCoffee")
    assert (answer.status, answer.code) == (400, "UnknownOperationException")


def test_no_target(account):
    headers, body = raw.sign(account, "ListClusters")
    answer = raw.call(account, "x", prefix="NoService_20200101")
    assert answer.status == 400 and answer.code == "UnknownOperationException"
    assert UUID.fullmatch(answer.headers["x-amzn-requestid"])


def test_operation_that_is_not_implemented_says_so(account, server):
    table = json.loads(server.run("api", "--json").stdout)
    missing = [row["operation"] for row in table if row["service"] == "ecs" and not row["implemented"]]
    if not missing:
        pytest.skip("every ECS operation is implemented")
    body = json.dumps({"cluster": "default", "name": "x", "taskSet": "x", "service": "x"})
    told = {name: raw.call(account, name, body) for name in missing}
    # Those whose required members the body lacks are refused for that, which is as good.
    for name, answer in told.items():
        assert answer.status == 400, name
        if answer.code == "UnsupportedFeatureException":
            assert name in answer.message
        else:
            assert answer.code in ("InvalidParameterException", "ClientException", "SerializationException"), name
    assert any(answer.code == "UnsupportedFeatureException" for answer in told.values())


@pytest.mark.parametrize("megabytes", [10, 40])
def test_a_body_that_is_too_large(account, megabytes):
    name = unique("large")
    body = json.dumps({"clusterName": name, "tags": [{"key": "k", "value": "v" * (megabytes << 20)}]})
    headers, body = raw.sign(account, "CreateCluster", body)
    try:
        answer = raw.send(account, headers, body)
    except (BrokenPipeError, ConnectionResetError):
        pass  # Refused by its length, before all of it was sent.
    else:
        assert answer.status in (400, 413) and "large" in answer.body.decode().lower()
    assert account.ecs.describe_clusters(clusters=[name])["clusters"] == []
    assert raw.call(account, "ListClusters").status == 200


def test_a_body_that_is_too_large_for_the_cli_s_patience(account):
    """boto3 gets an error it can read."""
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        account.ecs.register_task_definition(
            family="big", containerDefinitions=[{"name": "a", "image": "a" * (10 << 20), "memory": 64}])
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 413)


@pytest.mark.parametrize("operation, body, member", [
    ("DescribeTasks", {}, "tasks"),
    ("RunTask", {}, "taskDefinition"),
    ("RegisterTaskDefinition", {"containerDefinitions": []}, "family"),
    ("RegisterTaskDefinition", {"family": "a"}, "container list"),
])
def test_required_members(account, operation, body, member):
    answer = raw.call(account, operation, json.dumps(body))
    assert answer.status == 400
    assert answer.code in ("InvalidParameterException", "ClientException", "ValidationException")
    assert member.replace(" ", "").lower() in answer.message.lower().replace(" ", "")


def test_enums_outside_the_model(account):
    answer = raw.call(account, "RunTask", json.dumps({"taskDefinition": "a", "launchType": "MOON"}))
    assert answer.status == 400 and "FARGATE" in answer.message, "the message tells what may stand there"


def test_other_methods_and_paths(account):
    assert raw.send(account, {}, None, method="GET", path="/healthz").status == 200
    assert raw.send(account, {}, None, method="GET", path="/nowhere").status in (403, 404)
    assert raw.send(account, {}, None, method="PUT", path="/").status >= 400


def test_timestamps_are_seconds_since_the_epoch(account, stage):
    body = {"family": stage.name, "containerDefinitions": [{"name": "a", "image": "a", "memory": 64}]}
    answer = raw.call(account, "RegisterTaskDefinition", json.dumps(body))
    assert isinstance(answer.json["taskDefinition"]["registeredAt"], (int, float))
