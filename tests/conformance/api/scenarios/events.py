import json

from botocore.exceptions import ClientError
from support.aws import unique

PATTERN = json.dumps({"source": ["conformance"], "detail": {"n": [{"numeric": [">", 0]}]}})
TAGS = [{"Key": "team", "Value": "harbour"}]
ADDRESS = "http://127.0.0.1:9/events"


def rule(scene, targets=(), **fields):
    """A rule's name; nothing matches it by accident."""
    name = unique("rule")
    scene.events.put_rule(Name=name, **{"EventPattern": PATTERN, **fields})
    if targets:
        scene.events.put_targets(Rule=name, Targets=list(targets))
    return name


def put_rule(scene):
    name = unique("rule")
    fields = {"EventPattern": PATTERN, "ScheduleExpression": "rate(7 days)", "State": "DISABLED", "Description": "d",
              "RoleArn": "arn:aws:iam::000000000000:role/events"}
    arn = scene.events.put_rule(Name=name, Tags=TAGS, **fields)["RuleArn"]
    assert arn.endswith(f":rule/{name}")
    found = scene.events.describe_rule(Name=name)
    assert {key: found[key] for key in fields} == fields
    # What isn't named again is gone, but for the tags.
    scene.events.put_rule(Name=name, EventPattern=PATTERN)
    found = scene.events.describe_rule(Name=name)
    assert found["State"] == "ENABLED" and "Description" not in found and "ScheduleExpression" not in found
    assert scene.events.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS


def describe_rule(scene):
    found = scene.events.describe_rule(Name=rule(scene), EventBusName="default")
    assert found["EventBusName"] == "default" and found["State"] == "ENABLED"


def list_rules(scene):
    names = sorted(rule(scene) for _ in range(2))
    found = scene.events.list_rules(NamePrefix="rule-", Limit=1)
    assert len(found["Rules"]) == 1 and found["NextToken"]
    seen = [one["Name"] for page in scene.events.get_paginator("list_rules").paginate() for one in page["Rules"]]
    assert set(names) <= set(seen) and seen == sorted(seen)


def delete_rule(scene):
    name = rule(scene, [{"Id": "t", "Arn": ADDRESS}])
    try:
        scene.events.delete_rule(Name=name)
        raise AssertionError("a rule with targets was deleted")
    except ClientError as error:
        assert error.response["Error"]["Message"] == "Rule can't be deleted since it has targets."
    scene.events.remove_targets(Rule=name, Ids=["t"])
    scene.events.delete_rule(Name=name)
    # One that isn't there is as good as deleted.
    scene.events.delete_rule(Name=name)


def enable_rule(scene):
    name = rule(scene, State="DISABLED")
    scene.events.enable_rule(Name=name)
    assert scene.events.describe_rule(Name=name)["State"] == "ENABLED"


def disable_rule(scene):
    name = rule(scene)
    scene.events.disable_rule(Name=name)
    assert scene.events.describe_rule(Name=name)["State"] == "DISABLED"


def put_targets(scene):
    group = scene.log_group_arn(scene.log_group())
    cluster = scene.ecs.describe_clusters(clusters=[scene.cluster])["clusters"][0]["clusterArn"]
    targets = [
        {"Id": "address", "Arn": ADDRESS, "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60},
         "HttpParameters": {"HeaderParameters": {"X-A": "b"}, "QueryStringParameters": {"q": "r"}},
         "DeadLetterConfig": {"Arn": group}, "InputPath": "$.detail"},
        {"Id": "cluster", "Arn": cluster, "RoleArn": "arn:aws:iam::000000000000:role/events", "Input": "{}",
         "EcsParameters": {"TaskDefinitionArn": scene.definition(), "TaskCount": 2, "LaunchType": "FARGATE", "Group": "g",
                           "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"]}}, "Tags": TAGS}},
        {"Id": "group", "Arn": group, "InputTransformer": {
            "InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"<n> from <aws.events.rule-name>"'}},
    ]
    name = rule(scene)
    answer = scene.events.put_targets(Rule=name, Targets=targets)
    assert answer["FailedEntryCount"] == 0
    assert scene.events.list_targets_by_rule(Rule=name)["Targets"] == targets


def list_targets_by_rule(scene):
    name = rule(scene, [{"Id": str(n), "Arn": ADDRESS} for n in range(3)])
    page = scene.events.list_targets_by_rule(Rule=name, Limit=2)
    assert [target["Id"] for target in page["Targets"]] == ["0", "1"]
    page = scene.events.list_targets_by_rule(Rule=name, NextToken=page["NextToken"])
    assert [target["Id"] for target in page["Targets"]] == ["2"]


def remove_targets(scene):
    name = rule(scene, [{"Id": "a", "Arn": ADDRESS}, {"Id": "b", "Arn": ADDRESS}])
    assert scene.events.remove_targets(Rule=name, Ids=["a", "none"])["FailedEntryCount"] == 0
    assert [target["Id"] for target in scene.events.list_targets_by_rule(Rule=name)["Targets"]] == ["b"]


def list_rule_names_by_target(scene):
    address = f"{ADDRESS}/{unique('of')}"
    names = sorted(rule(scene, [{"Id": "t", "Arn": address}]) for _ in range(2))
    assert scene.events.list_rule_names_by_target(TargetArn=address)["RuleNames"] == names
    assert scene.events.list_rule_names_by_target(TargetArn=address, Limit=1)["NextToken"]


def put_events(scene):
    good = {"Source": "conformance", "DetailType": "t", "Detail": '{"n": 1}', "Resources": ["r"]}
    answer = scene.events.put_events(Entries=[good, {**good, "Source": "aws.ecs"}, {**good, "Detail": "["},
                                              {"Source": "s", "Detail": "{}"}])
    assert answer["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"]
    assert answer["Entries"][0]["EventId"]


def test_event_pattern(scene):
    event = {"id": "1", "account": "0", "source": "conformance", "time": "2026-01-01T00:00:00Z", "region": "r",
             "resources": [], "detail-type": "t", "detail": {"n": 1}}
    assert scene.events.test_event_pattern(EventPattern=PATTERN, Event=json.dumps(event))["Result"] is True


def bus(scene, **fields):
    name = unique("bus")
    scene.events.create_event_bus(Name=name, **fields)
    return name


def create_event_bus(scene):
    name = bus(scene, Description="d", Tags=TAGS)
    scene.events.put_rule(Name="r", EventBusName=name, EventPattern=PATTERN)
    arn = scene.events.describe_rule(Name="r", EventBusName=name)["Arn"]
    assert arn.endswith(f":rule/{name}/r")


def describe_event_bus(scene):
    assert scene.events.describe_event_bus()["Name"] == "default"
    found = scene.events.describe_event_bus(Name=bus(scene, Description="d"))
    assert found["Description"] == "d" and found["CreationTime"]


def list_event_buses(scene):
    name = bus(scene)
    found = [one["Name"] for one in scene.events.list_event_buses()["EventBuses"]]
    assert {"default", name} <= set(found)
    assert scene.events.list_event_buses(NamePrefix=name)["EventBuses"][0]["Name"] == name


def delete_event_bus(scene):
    name = bus(scene)
    scene.events.delete_event_bus(Name=name)
    assert scene.events.list_event_buses(NamePrefix=name)["EventBuses"] == []


def tag_resource(scene):
    arn = scene.events.describe_event_bus()["Arn"]
    scene.events.tag_resource(ResourceARN=arn, Tags=TAGS)
    assert scene.events.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS
    scene.events.untag_resource(ResourceARN=arn, TagKeys=["team"])


def untag_resource(scene):
    arn = scene.events.describe_rule(Name=rule(scene, Tags=TAGS))["Arn"]
    scene.events.untag_resource(ResourceARN=arn, TagKeys=["team", "none"])
    assert scene.events.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def list_tags_for_resource(scene):
    arn = scene.events.describe_rule(Name=rule(scene, Tags=TAGS))["Arn"]
    assert scene.events.list_tags_for_resource(ResourceARN=arn)["Tags"] == TAGS
