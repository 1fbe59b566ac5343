"""All that the API shows of a region, to see whether anything changed."""

import json

from botocore.exceptions import ClientError
from support import image

# What the samples of `wrong.py` call things by, so that a wrong call that slips through hits something.
NAME, REPOSITORY = "x", "xx"
POLICY = json.dumps({"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
    "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1000}}]})


def furnish(account, region):
    """One of each thing, by the names that samples have."""
    ecs, logs, ecr, events = (account.client(service, region=region) for service in ("ecs", "logs", "ecr", "events"))
    ecs.create_cluster(clusterName=NAME)
    definition = ecs.register_task_definition(
        family=NAME, containerDefinitions=[{"name": NAME, "image": NAME, "memory": 64}])["taskDefinition"]
    for cluster in ("default", NAME):
        ecs.create_cluster(clusterName=cluster)
        ecs.create_service(cluster=cluster, serviceName=NAME, desiredCount=0, launchType="EC2",
                           taskDefinition=definition["taskDefinitionArn"])
    logs.create_log_group(logGroupName=NAME, tags={NAME: NAME})
    logs.create_log_stream(logGroupName=NAME, logStreamName=NAME)
    events.put_rule(Name=NAME, EventPattern='{"source": ["none"]}')
    events.put_targets(Rule=NAME, Targets=[{"Id": NAME, "Arn": "http://localhost/"}])
    ecr.create_repository(repositoryName=REPOSITORY)
    ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=POLICY)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    pusher = image.Pusher(account.server.host, "")
    pusher.authorization = f"Basic {token}"
    pusher.push(image.Image([image.layer(files=[("x", b"x", 0o644)])]), REPOSITORY, NAME)


def policy(ecr, name):
    try:
        return ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def everything(account, region):
    """A comparable picture of the region."""
    ecs, logs, ecr, events = (account.client(service, region=region) for service in ("ecs", "logs", "ecr", "events"))
    picture = {}

    def pages(client, operation, key, **arguments):
        return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]

    for cluster in pages(ecs, "list_clusters", "clusterArns"):
        described = ecs.describe_clusters(clusters=[cluster], include=["TAGS", "SETTINGS", "CONFIGURATIONS"])
        picture[cluster] = described["clusters"][0]
        for service in pages(ecs, "list_services", "serviceArns", cluster=cluster):
            found = ecs.describe_services(cluster=cluster, services=[service], include=["TAGS"])
            picture[service] = found["services"][0]
        for status in ("RUNNING", "STOPPED"):
            for task in pages(ecs, "list_tasks", "taskArns", cluster=cluster, desiredStatus=status):
                found = ecs.describe_tasks(cluster=cluster, tasks=[task], include=["TAGS"])
                picture[task] = found["tasks"][0]
        for instance in pages(ecs, "list_container_instances", "containerInstanceArns", cluster=cluster):
            found = ecs.describe_container_instances(cluster=cluster, containerInstances=[instance], include=["TAGS"])
            picture[instance] = found["containerInstances"][0]
    for setting in pages(ecs, "list_account_settings", "settings"):
        picture["setting " + setting["name"]] = setting
    for status in ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"):
        for arn in pages(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            picture[arn] = found["taskDefinition"], found.get("tags")
    for repository in pages(ecr, "describe_repositories", "repositories"):
        name, arn = repository["repositoryName"], repository["repositoryArn"]
        images = pages(ecr, "list_images", "imageIds", repositoryName=name)
        tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
        picture[arn] = repository, sorted(map(str, images)), tags, policy(ecr, name)
    for group in pages(logs, "describe_log_groups", "logGroups"):
        name = group["logGroupName"]
        streams = pages(logs, "describe_log_streams", "logStreams", logGroupName=name)
        picture[group["arn"]] = group, streams, logs.list_tags_log_group(logGroupName=name)["tags"]
    for bus in events.list_event_buses()["EventBuses"]:
        picture[bus["Arn"]] = bus, events.list_tags_for_resource(ResourceARN=bus["Arn"])["Tags"]
        for rule in pages(events, "list_rules", "Rules", EventBusName=bus["Name"]):
            of = {"Rule": rule["Name"], "EventBusName": bus["Name"]}
            targets = pages(events, "list_targets_by_rule", "Targets", **of)
            picture[rule["Arn"]] = rule, targets, events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
    for described in picture.values():
        if isinstance(described, dict):
            described.pop("ResponseMetadata", None)
    return picture
