"""Limits that AWS's API references tell in words only: the models don't hold them."""

import pytest
from kit.caller import Caller
from kit.world import everything, furnish

REGION = "ap-south-1"
LONG = "x" * 256
CONTAINER = {"name": "y", "image": "y", "memory": 64}
TAG = {"key": "k", "value": "v"}
LISTS = ["ListClusters", "ListServices", "ListTasks", "ListTaskDefinitions", "ListTaskDefinitionFamilies",
         "ListContainerInstances"]
INSTANCE = "0" * 32
ATTRIBUTE = {"name": "a", "value": "v", "targetId": INSTANCE, "targetType": "container-instance"}

# (operation, input): each over one limit of its operation's page in the ECS API reference.
BEYOND = [
    ("CreateCluster", {"clusterName": LONG}),
    ("CreateCluster", {"clusterName": "no spaces"}),
    ("CreateCluster", {"clusterName": "y", "tags": [{"key": "k" * 129, "value": "v"}]}),
    ("CreateCluster", {"clusterName": "y", "tags": [{"key": "k", "value": "v" * 257}]}),
    ("CreateCluster", {"clusterName": "y", "tags": [{"key": "aws:k", "value": "v"}]}),
    ("CreateCluster", {"clusterName": "y", "tags": [{"key": f"k{i}", "value": "v"} for i in range(51)]}),
    ("CreateCluster", {"clusterName": "y", "tags": [TAG, TAG]}),
    ("CreateCluster", {"clusterName": "y", "tags": [{"value": "v"}]}),
    ("DescribeClusters", {"clusters": ["x"] * 101}),
    ("RegisterTaskDefinition", {"family": LONG, "containerDefinitions": [CONTAINER]}),
    ("RegisterTaskDefinition", {"family": "a/b", "containerDefinitions": [CONTAINER]}),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [{**CONTAINER, "name": LONG}]}),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [{**CONTAINER, "name": "a b"}]}),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [{**CONTAINER, "image": LONG}]}),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [{**CONTAINER, "stopTimeout": -1}]}),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [
        {**CONTAINER, "portMappings": [{"containerPort": 65536}]}]}),
    ("DeleteTaskDefinitions", {"taskDefinitions": ["x:1"] * 11}),
    ("CreateService", {"serviceName": LONG, "taskDefinition": "x", "desiredCount": 0}),
    ("CreateService", {"serviceName": "no spaces", "taskDefinition": "x", "desiredCount": 0}),
    ("CreateService", {"serviceName": "y", "taskDefinition": "x", "desiredCount": -1}),
    ("CreateService", {"serviceName": "y", "taskDefinition": "x", "desiredCount": 0, "clientToken": "t" * 65}),
    ("UpdateService", {"service": "x", "desiredCount": -1}),
    ("DescribeServices", {"services": ["x"] * 11}),
    ("RunTask", {"taskDefinition": "x", "count": 11}),
    ("RunTask", {"taskDefinition": "x", "count": 0}),
    ("RunTask", {"taskDefinition": "x", "startedBy": "s" * 129}),
    ("RunTask", {"taskDefinition": "x", "startedBy": "s!"}),
    ("RunTask", {"taskDefinition": "x", "group": LONG}),
    ("RunTask", {"taskDefinition": "x", "clientToken": "t" * 65}),
    ("RunTask", {"taskDefinition": "x", "clientToken": "t t"}),
    ("RunTask", {"taskDefinition": "x", "referenceId": "r" * 1025}),
    ("DescribeTasks", {"tasks": ["x"] * 101}),
    ("DescribeContainerInstances", {"containerInstances": ["x"] * 101}),
    ("ListContainerInstances", {"filter": "attribute:rack = r1"}),
    ("ListContainerInstances", {"filter": "attribute:rack == " + "r" * 2000}),
    ("StartTask", {"taskDefinition": "x", "containerInstances": [INSTANCE] * 11}),
    ("StartTask", {"taskDefinition": "x", "containerInstances": [INSTANCE], "startedBy": "s" * 37}),
    ("UpdateContainerInstancesState", {"containerInstances": [INSTANCE] * 11, "status": "DRAINING"}),
    ("UpdateContainerInstancesState", {"containerInstances": [INSTANCE], "status": "REGISTERING"}),
    *((name, {**body, **placement})
      for name, body in [("RunTask", {"taskDefinition": "x", "launchType": "EC2"}),
                         ("CreateService", {"serviceName": "y", "taskDefinition": "x", "desiredCount": 0,
                                            "launchType": "EC2"}),
                         ("UpdateService", {"service": "x"})]
      for placement in [
          {"placementConstraints": [{"type": "distinctInstance"}] * 11},
          {"placementConstraints": [{"type": "distinctInstance", "expression": "attribute:a == b"}]},
          {"placementConstraints": [{"type": "memberOf"}]},
          {"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == " + "b" * 2000}]},
          {"placementStrategy": [{"type": "random"}] * 6},
          {"placementStrategy": [{"type": "spread"}]},
          {"placementStrategy": [{"type": "spread", "field": "memory"}]},
          {"placementStrategy": [{"type": "binpack", "field": "instanceId"}]}]),
    ("RegisterTaskDefinition", {"family": "y", "containerDefinitions": [CONTAINER], "placementConstraints": [
        {"type": "memberOf", "expression": "attribute:a = b"}]}),
    ("PutAttributes", {"attributes": [{**ATTRIBUTE, "name": f"a{i}"} for i in range(11)]}),
    ("PutAttributes", {"attributes": [{**ATTRIBUTE, "name": "n" * 129}]}),
    ("PutAttributes", {"attributes": [{**ATTRIBUTE, "value": "v" * 129}]}),
    ("PutAttributes", {"attributes": [ATTRIBUTE]}),
    ("DeleteAttributes", {"attributes": [{**ATTRIBUTE, "name": "ecs.os-type"}]}),
    ("ListAttributes", {"targetType": "container-instance", "attributeValue": "v"}),
    ("ListAttributes", {"targetType": "container-instance", "maxResults": 101}),
    ("PutAccountSetting", {"name": "containerInsights", "value": "on"}),
    ("PutAccountSetting", {"name": "serviceLongArnFormat", "value": "disabled"}),
    ("PutAccountSetting", {"name": "guardDutyActivate", "value": "on"}),
    ("PutAccountSettingDefault", {"name": "fargateTaskRetirementWaitPeriod", "value": "1"}),
    ("ListAccountSettings", {"maxResults": 11}),
    ("UpdateTaskProtection", {"cluster": "x", "tasks": [INSTANCE] * 11, "protectionEnabled": True}),
    ("UpdateTaskProtection", {"cluster": "x", "tasks": [INSTANCE], "protectionEnabled": True, "expiresInMinutes": 0}),
    ("UpdateTaskProtection", {"cluster": "x", "tasks": [INSTANCE], "protectionEnabled": True,
                              "expiresInMinutes": 2881}),
    ("GetTaskProtection", {"cluster": "x", "tasks": [INSTANCE] * 101}),
    ("ListTasks", {"startedBy": "me", "family": "x"}),
    *((name, {"maxResults": n}) for name in LISTS for n in (0, 101, -1)),
    *((name, {"nextToken": "no token of ours"}) for name in LISTS),
]


@pytest.fixture(scope="module")
def caller(account):
    furnish(account, REGION)
    return Caller(account, REGION)


@pytest.mark.parametrize("name, body", BEYOND, ids=lambda value: value if isinstance(value, str) else "")
def test_beyond_a_limit(account, caller, name, body):
    before = everything(account, REGION)
    reply = caller.json("ecs", name, body)
    assert reply.status == 400 and not reply.findings(), (reply, reply.findings())
    assert everything(account, REGION) == before


@pytest.mark.parametrize("name, body", [
    ("CreateCluster", {"clusterName": "c" * 255}),
    ("CreateCluster", {"clusterName": "A-1_b", "tags": [{"key": "k" * 128, "value": "v" * 256}]}),
    ("CreateCluster", {"clusterName": "fifty", "tags": [{"key": f"k{i}", "value": ""} for i in range(50)]}),
    ("RegisterTaskDefinition", {"family": "f" * 255, "containerDefinitions": [{**CONTAINER, "name": "n" * 255}]}),
    ("CreateService", {"serviceName": "s" * 255, "taskDefinition": "x", "desiredCount": 0, "launchType": "EC2"}),
    ("DescribeClusters", {"clusters": ["x"] * 100}),
    ("DescribeServices", {"services": ["x"] * 10}),
    ("ListClusters", {"maxResults": 100}),
], ids=lambda value: value if isinstance(value, str) else "")
def test_at_a_limit(caller, name, body):
    reply = caller.json("ecs", name, body)
    assert reply.status == 200 and not reply.findings(), (reply, reply.findings())


@pytest.mark.parametrize("first, last", [(0, 2 ** 63 - 1), (2 ** 63 - 1, 0), (5, 0), (0, 0), (1, 3)])
def test_a_layer_part_of_another_length(account, caller, first, last):
    name = "parts"
    caller.json("ecr", "CreateRepository", {"repositoryName": name})
    upload = caller.json("ecr", "InitiateLayerUpload", {"repositoryName": name}).body["uploadId"]
    reply = caller.json("ecr", "UploadLayerPart", {
        "repositoryName": name, "uploadId": upload, "partFirstByte": first, "partLastByte": last,
        "layerPartBlob": "MTIz"})
    assert reply.status == 400 and not reply.findings(), (reply, reply.findings())
