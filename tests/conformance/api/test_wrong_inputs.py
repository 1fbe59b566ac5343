"""Inputs made from each operation's shape that don't fit it: refused in AWS's words, and nothing changes."""

import json

import pytest
from kit import shapes, wrong
from kit.caller import Caller
from kit.world import POLICY, everything, furnish

JSON_OPERATIONS = [(service, name) for service, name in shapes.operations() if service != "sts"]
# Each in a region of its own: what the one changes doesn't disturb the other.
RULED_OUT, ODD = "eu-central-1", "eu-north-1"
# Inputs that would be accepted: so no wrong one is refused for another reason.
DEFINITION = {"family": "y", "containerDefinitions": [{
    "name": "y", "image": "y", "memory": 64, "portMappings": [{"containerPort": 80}],
    "environment": [{"name": "y", "value": "y"}], "logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": "y", "awslogs-region": "y", "awslogs-stream-prefix": "y"}}}]}
GOOD = {
    "CreateCluster": {"clusterName": "y"},
    "CreateService": {"serviceName": "y", "taskDefinition": "x", "desiredCount": 0},
    "DeleteService": {"cluster": "x"},
    "RegisterTaskDefinition": DEFINITION,
    "UpdateService": {"cluster": "x", "desiredCount": 1},
    "CreateRepository": {"repositoryName": "yy"},
    "PutLifecyclePolicy": {"lifecyclePolicyText": POLICY},
    "StartLifecyclePolicyPreview": {"lifecyclePolicyText": POLICY},
    "CreateLogGroup": {"logGroupName": "y"},
    "CreateLogStream": {"logStreamName": "y"},
}
NOT_JSON = [b"{", b"[]", b'"x"', b"1", b"nul", b"\xff\xfe", b"{} {}", b'{"a":1,}', b"<a/>", b"[" * 10_000]


@pytest.fixture(scope="module")
def furnished(account):
    furnish(account, RULED_OUT)
    return Caller(account, RULED_OUT)


@pytest.fixture(scope="module")
def odd(account):
    furnish(account, ODD)
    return Caller(account, ODD)


@pytest.fixture
def implemented(coverage, request):
    service, name = request.node.callspec.params["service"], request.node.callspec.params["name"]
    return coverage[service, name]


@pytest.mark.parametrize("service, name", JSON_OPERATIONS)
def test_what_the_model_rules_out_is_refused(account, furnished, implemented, service, name):
    shape = shapes.operation(service, name).input_shape
    if not implemented or shape is None:
        return  # test_operations.py sees to those that aren't; some have no input at all.
    before, bad = everything(account, RULED_OUT), []
    assert len(before) > 5, "what the samples name is there to be hit"
    for what, body in [*wrong.wrongs(shape, GOOD.get(name)), *((repr(body[:20]), body) for body in NOT_JSON)]:
        reply = furnished.json(service, name, body)
        found = reply.findings()
        if reply.status == 200:
            found.append("was accepted")
        elif reply.status >= 500:
            found.append("failed")
        if found:
            bad.append(f"{what}: {found} {reply.content[:200]!r} to {shown(body)}")
    assert not bad, f"{len(bad)} of {service} {name}:\n" + "\n".join(bad[:40])
    assert everything(account, RULED_OUT) == before


@pytest.mark.parametrize("service, name", JSON_OPERATIONS)
def test_what_nobody_would_send_is_answered(odd, implemented, service, name):
    shape = shapes.operation(service, name).input_shape
    if not implemented or shape is None:
        return
    bad = []
    for what, body in wrong.oddities(shape):
        reply = odd.json(service, name, body)
        found = reply.findings() + (["failed"] if reply.status >= 500 else [])
        if found:
            bad.append(f"{what}: {found} {reply.content[:200]!r} to {shown(body)}")
    assert not bad, f"{len(bad)} of {service} {name}:\n" + "\n".join(bad[:40])


@pytest.mark.parametrize("service, name", [("ecs", "CreateCluster"), ("logs", "CreateLogGroup")])
def test_a_body_that_is_too_large(account, service, name):
    reply = Caller(account).json(service, name, b"{" + b" " * (9 << 20) + b"}")
    assert reply.status == 413 and not reply.findings(), (reply, reply.findings())


def shown(body):
    return body[:200] if isinstance(body, bytes) else json.dumps(body)[:200]
