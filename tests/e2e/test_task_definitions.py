"""Task definitions: what is accepted, given back, counted and refused."""

import pytest
from support.aws import refused, unique

FULL = {
    "name": "app", "image": "registry.example/app@sha256:" + "0" * 64, "cpu": 128, "memory": 256,
    "memoryReservation": 128, "essential": True, "command": ["serve", "--fast"], "entryPoint": ["/bin/app"],
    "environment": [{"name": "A", "value": "1"}], "workingDirectory": "/srv", "user": "1000:1000",
    "portMappings": [{"containerPort": 80, "protocol": "tcp", "name": "web"}],
    "readonlyRootFilesystem": True, "startTimeout": 30, "stopTimeout": 20,
    "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "us-east-1",
                                                             "awslogs-stream-prefix": "p"}},
    "dependsOn": [{"containerName": "init", "condition": "SUCCESS"}],
    "dockerLabels": {"a": "b"}, "healthCheck": {"command": ["CMD", "true"], "interval": 10},
}
INIT = {"name": "init", "image": "init", "essential": False}


def fargate(account, *containers, **fields):
    defaults = {"family": unique("td"), "cpu": "256", "memory": "512", "networkMode": "awsvpc",
                "requiresCompatibilities": ["FARGATE"], "containerDefinitions": list(containers)}
    return account.ecs.register_task_definition(**{**defaults, **fields})


def test_every_field_is_given_back(account):
    made = fargate(account, FULL, INIT)["taskDefinition"]
    app = made["containerDefinitions"][0]
    for name, value in FULL.items():
        if name == "portMappings":
            # In awsvpc the host's port is the container's.
            assert app[name] == [{**value[0], "hostPort": 80}]
        elif name == "healthCheck":
            assert app[name] == {"command": ["CMD", "true"], "interval": 10, "timeout": 5, "retries": 3}
        else:
            assert app[name] == value, name
    # What was left out is given back as ECS fills it in.
    init = made["containerDefinitions"][1]
    for name in ("portMappings", "environment", "mountPoints", "volumesFrom"):
        assert init[name] == [], name
    assert init["cpu"] == 0
    assert (made["cpu"], made["memory"], made["networkMode"]) == ("256", "512", "awsvpc")
    assert made["status"] == "ACTIVE" and made["revision"] == 1
    assert made["requiresCompatibilities"] == ["FARGATE"] and "FARGATE" in made["compatibilities"]
    assert made["taskDefinitionArn"].endswith(f":task-definition/{made['family']}:1")
    attributes = {entry["name"] for entry in made["requiresAttributes"]}
    assert {"ecs.capability.task-eni", "com.amazonaws.ecs.capability.logging-driver.awslogs"} <= attributes
    assert made["registeredAt"] and made["registeredBy"].startswith("arn:aws:")
    again = account.ecs.describe_task_definition(taskDefinition=made["taskDefinitionArn"])["taskDefinition"]
    assert again == made


def test_revisions_and_how_they_are_named(account):
    family = unique("td")
    for expected in (1, 2, 3):
        assert fargate(account, INIT | {"essential": True}, family=family)["taskDefinition"]["revision"] == expected
    named = lambda text: account.ecs.describe_task_definition(taskDefinition=text)["taskDefinition"]["revision"]
    assert named(family) == 3 and named(f"{family}:2") == 2
    account.ecs.deregister_task_definition(taskDefinition=f"{family}:3")
    assert named(family) == 2, "a family's name means its latest ACTIVE revision"
    assert fargate(account, INIT | {"essential": True}, family=family)["taskDefinition"]["revision"] == 4


def test_deregister_and_delete(account):
    family = unique("td")
    fargate(account, INIT | {"essential": True}, family=family)
    one = f"{family}:1"
    failures = account.ecs.delete_task_definitions(taskDefinitions=[one])["failures"]
    assert failures and "deregister" in str(failures).lower()
    gone = account.ecs.deregister_task_definition(taskDefinition=one)["taskDefinition"]
    assert gone["status"] == "INACTIVE" and gone["deregisteredAt"]
    assert account.ecs.describe_task_definition(taskDefinition=one)["taskDefinition"]["status"] == "INACTIVE"
    deleted = account.ecs.delete_task_definitions(taskDefinitions=[one])
    assert deleted["failures"] == []
    assert deleted["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"


def test_a_revision_that_is_inactive_does_not_run(account, stage):
    arn = stage.register(stage.container("true"))
    account.ecs.deregister_task_definition(taskDefinition=arn)
    refused(lambda: stage.run(arn), "ClientException", "TaskDefinition is inactive")
    assert account.ecs.list_tasks(cluster=stage.cluster)["taskArns"] == []


@pytest.mark.parametrize("call", ["describe_task_definition", "deregister_task_definition"])
def test_unknown_definitions(account, call):
    refused(lambda: getattr(account.ecs, call)(taskDefinition="never-made:1"), "ClientException")


def test_lists(account):
    prefix = unique("fam")
    for n in range(3):
        for _ in range(2):
            fargate(account, INIT | {"essential": True}, family=f"{prefix}-{n}")
    account.ecs.deregister_task_definition(taskDefinition=f"{prefix}-0:1")
    account.ecs.deregister_task_definition(taskDefinition=f"{prefix}-0:2")
    listed = lambda **fields: account.ecs.list_task_definition_families(familyPrefix=prefix, **fields)["families"]
    assert listed() == [f"{prefix}-0", f"{prefix}-1", f"{prefix}-2"]
    assert listed(status="ACTIVE") == [f"{prefix}-1", f"{prefix}-2"]
    assert listed(status="INACTIVE") == [f"{prefix}-0"]
    paginator = account.ecs.get_paginator("list_task_definitions")
    pages = list(paginator.paginate(familyPrefix=f"{prefix}-1", PaginationConfig={"PageSize": 1}))
    arns = [arn.rsplit("/", 1)[1] for page in pages for arn in page["taskDefinitionArns"]]
    assert arns == [f"{prefix}-1:1", f"{prefix}-1:2"] and len(pages) >= 2
    newest = account.ecs.list_task_definitions(familyPrefix=f"{prefix}-1", sort="DESC")["taskDefinitionArns"]
    assert [arn.rsplit("/", 1)[1] for arn in newest] == [f"{prefix}-1:2", f"{prefix}-1:1"]


@pytest.mark.parametrize("cpu, memory", [("100", "512"), ("256", "4096"), ("512", "512"), ("4096", "4096"),
                                         ("1024", "1000")])
def test_sizes_that_fargate_has_not(account, cpu, memory):
    refused(lambda: fargate(account, INIT | {"essential": True}, cpu=cpu, memory=memory), "ClientException",
            "No Fargate configuration exists for given values")


@pytest.mark.parametrize("cpu, memory, seen", [("256", "512", ("256", "512")), (".25 vCPU", "0.5 GB", ("256", "512")),
                                               ("1 vCPU", "2GB", ("1024", "2048")), ("4096", "30720", ("4096", "30720"))])
def test_sizes_that_fargate_has(account, cpu, memory, seen):
    made = fargate(account, INIT | {"essential": True}, cpu=cpu, memory=memory)["taskDefinition"]
    assert (made["cpu"], made["memory"]) == seen


APP = {"name": "app", "image": "i", "essential": True}


@pytest.mark.parametrize("fields, words", [
    ({"cpu": None}, "cpu"),
    ({"memory": None}, "memory"),
    ({"networkMode": "bridge"}, "awsvpc"),
    ({"containerDefinitions": []}, "ontainer"),
    ({"containerDefinitions": [{**APP, "essential": False}]}, "essential"),
    ({"containerDefinitions": [APP, APP]}, "unique"),
    ({"containerDefinitions": [{**APP, "name": "a b"}]}, "name"),
    ({"containerDefinitions": [{**APP, "image": ""}]}, "image"),
    ({"containerDefinitions": [{**APP, "privileged": True}]}, "privileged"),
    ({"containerDefinitions": [{**APP, "memory": 100, "memoryReservation": 200}]}, "emory"),
    ({"containerDefinitions": [{**APP, "memory": 3}]}, "emory"),
    ({"containerDefinitions": [{**APP, "stopTimeout": 121}]}, "stop timeout"),
    ({"containerDefinitions": [{**APP, "portMappings": [{"containerPort": 80, "hostPort": 81}]}]}, "ort"),
    ({"containerDefinitions": [{**APP, "portMappings": [{"containerPort": 70000}]}]}, "ort"),
    ({"containerDefinitions": [{**APP, "portMappings": [{"containerPort": 80}]},
                               {**APP, "name": "b", "portMappings": [{"containerPort": 80}]}]}, "80"),
    ({"containerDefinitions": [{**APP, "dependsOn": [{"containerName": "no", "condition": "START"}]}]}, "no"),
    ({"containerDefinitions": [{**APP, "dependsOn": [{"containerName": "app", "condition": "START"}]}]}, "app"),
    ({"containerDefinitions": [{**APP, "dependsOn": [{"containerName": "b", "condition": "START"}]},
                               {**APP, "name": "b", "dependsOn": [{"containerName": "app", "condition": "START"}]}]},
     "ycl"),
    ({"family": "a b"}, "amily"),
    ({"volumes": [{"name": "v", "host": {"sourcePath": "/"}}]}, ""),
    ({"tags": [{"key": "aws:a", "value": ""}]}, "aws:"),
])
def test_refused_and_no_revision_made(account, fields, words):
    family = fields.get("family") or unique("td")
    request = {"family": family, "cpu": "256", "memory": "512", "networkMode": "awsvpc",
               "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [APP], **fields}
    request = {name: value for name, value in request.items() if value is not None}
    with pytest.raises(account.ecs.exceptions.ClientError) as raised:
        account.ecs.register_task_definition(**request)
    error = raised.value.response["Error"]
    assert error["Code"] in ("ClientException", "InvalidParameterException"), error
    assert words in error["Message"], error
    if " " not in family:
        listed = account.ecs.list_task_definition_families(familyPrefix=family)["families"]
        assert listed == []


def test_for_ec2_more_is_allowed(account):
    made = account.ecs.register_task_definition(
        family=unique("td"), networkMode="bridge", volumes=[{"name": "v", "host": {"sourcePath": "/srv"}}],
        containerDefinitions=[{**APP, "memory": 64, "privileged": True,
                               "portMappings": [{"containerPort": 80, "hostPort": 8080}]}])["taskDefinition"]
    assert "EC2" in made["compatibilities"] and "FARGATE" not in made["compatibilities"]
    assert made["containerDefinitions"][0]["portMappings"][0]["hostPort"] == 8080


def test_tags_and_include(account):
    made = fargate(account, APP, tags=[{"key": "a", "value": "b"}])
    assert made["tags"] == [{"key": "a", "value": "b"}]
    arn = made["taskDefinition"]["taskDefinitionArn"]
    assert account.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"] == made["tags"]
    assert account.ecs.describe_task_definition(taskDefinition=arn).get("tags", []) == []
    assert account.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == made["tags"]
