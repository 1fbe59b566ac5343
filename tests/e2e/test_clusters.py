"""Clusters: Create, Describe, List, Update, UpdateClusterSettings, Delete, and their tags."""

import pytest
from support.aws import NETWORK, refused, unique


def test_create_answers_the_cluster_and_again_the_same(account):
    name = unique("c")
    made = account.ecs.create_cluster(clusterName=name, tags=[{"key": "team", "value": "dock"}])["cluster"]
    assert made["clusterArn"] == f"arn:aws:ecs:{account.region}:000000000000:cluster/{name}"
    assert (made["status"], made["runningTasksCount"], made["registeredContainerInstancesCount"]) == ("ACTIVE", 0, 0)
    again = account.ecs.create_cluster(clusterName=name)["cluster"]
    assert again["clusterArn"] == made["clusterArn"]


def test_the_default_cluster_is_there(account):
    found = account.ecs.describe_clusters()["clusters"]
    assert [cluster["clusterName"] for cluster in found] == ["default"]


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 256, "ä"])
def test_names_that_are_refused(account, name):
    refused(lambda: account.ecs.create_cluster(clusterName=name), "InvalidParameterException")


def test_describe_with_include(account):
    name = unique("c")
    account.ecs.create_cluster(clusterName=name, tags=[{"key": "a", "value": "b"}],
                               settings=[{"name": "containerInsights", "value": "enabled"}])
    bare = account.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert bare["tags"] == [] and bare["settings"] == []
    full = account.ecs.describe_clusters(clusters=[name], include=["TAGS", "SETTINGS", "STATISTICS"])["clusters"][0]
    assert full["tags"] == [{"key": "a", "value": "b"}]
    assert {"name": "containerInsights", "value": "enabled"} in full["settings"]
    assert {entry["name"] for entry in full["statistics"]} >= {"runningFargateTasksCount", "activeFargateServiceCount"}


def test_what_is_missing_is_a_failure_not_an_error(account):
    answer = account.ecs.describe_clusters(clusters=["never-made"])
    assert answer["clusters"] == []
    assert answer["failures"][0]["reason"] == "MISSING"
    assert answer["failures"][0]["arn"].endswith(":cluster/never-made")


def test_list_in_pages(account):
    names = {unique("page") for _ in range(7)}
    for name in names:
        account.ecs.create_cluster(clusterName=name)
    pages = list(account.ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["clusterArns"]) <= 2 for page in pages)
    arns = [arn for page in pages for arn in page["clusterArns"]]
    assert len(arns) == len(set(arns))
    assert names <= {arn.rsplit("/", 1)[1] for arn in arns}
    refused(lambda: account.ecs.list_clusters(nextToken="forged"), "InvalidParameterException")


def test_settings_change(account):
    name = unique("c")
    account.ecs.create_cluster(clusterName=name)
    answer = account.ecs.update_cluster_settings(cluster=name,
                                                 settings=[{"name": "containerInsights", "value": "enabled"}])
    assert {"name": "containerInsights", "value": "enabled"} in answer["cluster"]["settings"]
    account.ecs.update_cluster(cluster=name, configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}})
    full = account.ecs.describe_clusters(clusters=[name], include=["CONFIGURATIONS"])["clusters"][0]
    assert full["configuration"]["executeCommandConfiguration"]["logging"] == "DEFAULT"


def test_delete_leaves_it_inactive(account):
    name = unique("c")
    account.ecs.create_cluster(clusterName=name)
    assert account.ecs.delete_cluster(cluster=name)["cluster"]["status"] == "INACTIVE"
    listed = [arn for page in account.ecs.get_paginator("list_clusters").paginate() for arn in page["clusterArns"]]
    assert not any(arn.endswith(f"/{name}") for arn in listed)
    refused(lambda: account.ecs.list_tasks(cluster=name), "ClusterNotFoundException",
            "The referenced cluster was inactive.")
    assert account.ecs.create_cluster(clusterName=name)["cluster"]["status"] == "ACTIVE"


def test_delete_is_refused_while_something_runs(account, stage):
    arn = stage.run_script("exec sleep 600")
    refused(lambda: account.ecs.delete_cluster(cluster=stage.cluster), "ClusterContainsTasksException")
    stage.ecs.stop_task(cluster=stage.cluster, task=arn)
    stage.wait(arn)
    service = stage.create_service(stage.register(stage.container("exec sleep 600")), 0)
    refused(lambda: account.ecs.delete_cluster(cluster=stage.cluster), "ClusterContainsServicesException")
    stage.ecs.delete_service(cluster=stage.cluster, service=service, force=True)


def test_unknown_clusters(account):
    for call in (lambda: account.ecs.delete_cluster(cluster="never-made"),
                 lambda: account.ecs.list_services(cluster="never-made"),
                 lambda: account.ecs.run_task(cluster="never-made", taskDefinition="x", launchType="FARGATE",
                                              networkConfiguration=NETWORK)):
        refused(call, "ClusterNotFoundException", "Cluster not found.")


def test_tags(account):
    name = unique("c")
    arn = account.ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"]
    account.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    account.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "3"}])
    account.ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
    assert account.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "3"}]
    refused(lambda: account.ecs.tag_resource(resourceArn=arn, tags=[{"key": "aws:x", "value": "1"}]),
            "InvalidParameterException")
    many = [{"key": f"k{n}", "value": ""} for n in range(51)]
    refused(lambda: account.ecs.tag_resource(resourceArn=arn, tags=many), "InvalidParameterException")
