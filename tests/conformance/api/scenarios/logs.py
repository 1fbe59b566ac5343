TAGS = {"team": "harbour"}


def create_log_group(scene):
    scene.log_group(tags=TAGS)


def create_log_stream(scene):
    scene.log_stream()


def delete_log_group(scene):
    group = scene.log_group()
    scene.logs.delete_log_group(logGroupName=group)
    assert scene.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def delete_log_stream(scene):
    group, stream = scene.log_events()
    scene.logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    assert scene.logs.describe_log_streams(logGroupName=group)["logStreams"] == []


def describe_log_groups(scene):
    group, _ = scene.log_events()
    scene.logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    found, = scene.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7 and found["creationTime"] > 1_600_000_000_000
    scene.log_group()
    assert scene.logs.describe_log_groups(limit=1)["nextToken"]


def describe_log_streams(scene):
    group, stream = scene.log_events()
    scene.logs.create_log_stream(logGroupName=group, logStreamName="empty")
    for order in ("LogStreamName", "LastEventTime"):
        answer = scene.logs.describe_log_streams(logGroupName=group, orderBy=order, limit=1)
        assert len(answer["logStreams"]) == 1 and answer["nextToken"]
    found, = scene.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
    assert found["firstEventTimestamp"] <= found["lastEventTimestamp"]


def put_log_events(scene):
    group, stream = scene.log_stream()
    now = scene.now_ms()
    late = {"timestamp": now + 5 * 3_600_000, "message": "too new"}
    old = {"timestamp": now - 20 * 86_400_000, "message": "too old"}
    answer = scene.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[
        old, {"timestamp": now, "message": "right"}, late])
    assert answer["rejectedLogEventsInfo"]


def get_log_events(scene):
    group, stream = scene.log_events()
    answer = scene.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, limit=2)
    assert [event["message"] for event in answer["events"]] == ["line 0", "line 1"]
    assert answer["nextForwardToken"] and answer["nextBackwardToken"]


def filter_log_events(scene):
    group, stream = scene.log_events()
    answer = scene.logs.filter_log_events(logGroupName=group, logStreamNames=[stream], filterPattern='"line 1"')
    assert [event["message"] for event in answer["events"]] == ["line 1"]
    assert scene.logs.filter_log_events(logGroupName=group, limit=1)["nextToken"]


def put_retention_policy(scene):
    scene.logs.put_retention_policy(logGroupName=scene.log_group(), retentionInDays=30)


def delete_retention_policy(scene):
    group = scene.log_group()
    scene.logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    scene.logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in scene.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]


def put_log_group_deletion_protection(scene):
    group = scene.log_group()
    for enabled in (True, False):
        scene.logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=enabled)


def tag_resource(scene):
    scene.logs.tag_resource(resourceArn=scene.log_group_arn(scene.log_group()), tags=TAGS)


def untag_resource(scene):
    arn = scene.log_group_arn(scene.log_group(tags=TAGS))
    scene.logs.untag_resource(resourceArn=arn, tagKeys=list(TAGS))
    assert scene.logs.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def list_tags_for_resource(scene):
    arn = scene.log_group_arn(scene.log_group(tags=TAGS))
    assert scene.logs.list_tags_for_resource(resourceArn=arn)["tags"] == TAGS


def tag_log_group(scene):
    scene.logs.tag_log_group(logGroupName=scene.log_group(), tags=TAGS)


def untag_log_group(scene):
    scene.logs.untag_log_group(logGroupName=scene.log_group(tags=TAGS), tags=list(TAGS))


def list_tags_log_group(scene):
    assert scene.logs.list_tags_log_group(logGroupName=scene.log_group(tags=TAGS))["tags"] == TAGS


def list_log_groups(scene):
    group = scene.log_group()
    answer = scene.logs.list_log_groups(logGroupNamePattern=group[-24:])
    assert [found["logGroupName"] for found in answer["logGroups"]] == [group]


def test_metric_filter(scene):
    answer = scene.logs.test_metric_filter(filterPattern="[ip, status=4*]", logEventMessages=["::1 404", "::1 200"])
    assert [match["eventNumber"] for match in answer["matches"]] == [1]
    assert answer["matches"][0]["extractedValues"]["$status"] == "404"


def start_live_tail(scene):
    arn = scene.log_group_arn(scene.log_group())
    # An address can't carry the prefix that the SDK would put before the host.
    logs = scene.account.client("logs", inject_host_prefix=False)
    events = logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"]
    assert next(iter(events))["sessionStart"]["logGroupIdentifiers"] == [arn]
    events.close()
