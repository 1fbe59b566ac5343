"""Parts of implemented operations that ECS has and Longshore has not yet. Each says so, instead of being passed over
(docs/decisions/0005-what-is-not-implemented.md); one that starts to work fails here and loses its line."""

import pytest
from support.aws import unique

INSTANCE = {"launchType": "EC2"}
BALANCER = [{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/t/1",
             "containerName": "app", "containerPort": 80}]

# (section of the ECS API reference, operation, input)
GAPS = [
    ("CreateService, deploymentController", "create_service", {
        **INSTANCE, "deploymentController": {"type": "CODE_DEPLOY"}}),
    ("CreateService, loadBalancers", "create_service", {**INSTANCE, "loadBalancers": BALANCER}),
]


@pytest.fixture(scope="module")
def definition(checked):
    return checked.ecs.register_task_definition(family=unique("gaps"), containerDefinitions=[
        {"name": "app", "image": "app", "memory": 64, "portMappings": [{"containerPort": 80}]},
    ])["taskDefinition"]["taskDefinitionArn"]


@pytest.mark.parametrize("operation, fields", [
    pytest.param(operation, fields, id=section, marks=pytest.mark.xfail(
        strict=True, reason=f"ECS API reference: {section}", raises=NotImplementedError))
    for section, operation, fields in GAPS])
def test_gap(scene, definition, operation, fields):
    try:
        getattr(scene.ecs, operation)(cluster=scene.cluster, taskDefinition=definition, serviceName=unique("gap"),
                                      desiredCount=0, **fields)
    except scene.ecs.exceptions.UnsupportedFeatureException as error:
        raise NotImplementedError(str(error)) from error
