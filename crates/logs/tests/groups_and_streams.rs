//! Groups, streams, tags, retention: what the API answers.

mod common;

use common::{NOW, World, messages};
use serde_json::{Value, json};

fn names<'a>(answer: &'a Value, list: &str, name: &str) -> Vec<&'a str> {
    answer[list].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_group_is_described_as_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    let tags = json!({"team": "a"});
    world.ok("CreateLogGroup", json!({"logGroupName": "/ecs/web", "tags": tags})).await;
    world.ok("PutRetentionPolicy", json!({"logGroupName": "/ecs/web", "retentionInDays": 7})).await;
    let answer = world.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "/ecs"})).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "logGroups": [
        {
          "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web:*",
          "creationTime": 1800000000000,
          "deletionProtectionEnabled": false,
          "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web",
          "logGroupClass": "STANDARD",
          "logGroupName": "/ecs/web",
          "metricFilterCount": 0,
          "retentionInDays": 7,
          "storedBytes": 0
        }
      ]
    }
    "#);
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/ecs/web";
    assert_eq!(world.ok("ListTagsForResource", json!({"resourceArn": arn})).await["tags"], tags);
    let named = world.ok("DescribeLogGroups", json!({"logGroupIdentifiers": [arn, "other"]})).await;
    assert_eq!(names(&named, "logGroups", "logGroupName"), ["/ecs/web"]);
}

#[tokio::test]
async fn groups_are_listed_by_name_prefix_and_pattern_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    for name in ["b", "a/2", "a", "a/1", "a/10", "c", "A"] {
        world.ok("CreateLogGroup", json!({"logGroupName": name})).await;
    }
    let all = world.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(names(&all, "logGroups", "logGroupName"), ["A", "a", "a/1", "a/10", "a/2", "b", "c"]);
    let pattern = world.ok("DescribeLogGroups", json!({"logGroupNamePattern": "1"})).await;
    assert_eq!(names(&pattern, "logGroups", "logGroupName"), ["a/1", "a/10"]);

    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let input = json!({"logGroupNamePrefix": "a/", "limit": 2, "nextToken": token});
        let page = world.ok("DescribeLogGroups", input).await;
        seen.extend(names(&page, "logGroups", "logGroupName").iter().map(|name| name.to_string()));
        // What is deleted or made meanwhile loses nothing else.
        let _ = world.call("DeleteLogGroup", json!({"logGroupName": "a/10"})).await;
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
        let other = json!({"logGroupNamePrefix": "b", "nextToken": token});
        assert_eq!(
            world.error("DescribeLogGroups", other).await,
            "400 InvalidParameterException: The specified nextToken is invalid."
        );
    }
    assert_eq!(seen, ["a/1", "a/10", "a/2"]);
    let elsewhere = world.call_in("eu-west-1", "DescribeLogGroups", json!({})).await.unwrap();
    assert_eq!(elsewhere, json!({"logGroups": []}));
}

#[tokio::test]
async fn groups_are_found_by_patterns_class_and_tags() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    for (name, team, class) in
        [("/ecs/web", "a", "STANDARD"), ("/ecs/job", "b", "STANDARD"), ("other", "a", "INFREQUENT_ACCESS")]
    {
        let input = json!({"logGroupName": name, "tags": {"team": team}, "logGroupClass": class});
        world.ok("CreateLogGroup", input).await;
    }
    let list = async |input: Value| {
        let answer = world.ok("ListLogGroups", input).await;
        names(&answer, "logGroups", "logGroupName").join(" ")
    };
    assert_eq!(list(json!({})).await, "/ecs/job /ecs/web other");
    assert_eq!(list(json!({"logGroupNamePattern": "^/ecs"})).await, "/ecs/job /ecs/web");
    assert_eq!(list(json!({"logGroupNamePattern": "^oth|web"})).await, "/ecs/web other");
    assert_eq!(list(json!({"logGroupClass": "INFREQUENT_ACCESS"})).await, "other");
    assert_eq!(list(json!({"logGroupTags": [{"key": "team", "values": ["a"]}]})).await, "/ecs/web other");
    let first = world.ok("ListLogGroups", json!({"limit": 2})).await;
    assert_eq!(list(json!({"nextToken": first["nextToken"]})).await, "other");
}

#[tokio::test]
async fn streams_are_ordered_by_name_or_by_last_event() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    for stream in ["web/b", "web/a", "job/1", "idle"] {
        world.stream("g", stream).await;
    }
    world.put("g", "web/a", &[(-50, "x"), (-20, "y")]).await;
    world.put("g", "web/b", &[(-30, "x")]).await;
    world.put("g", "job/1", &[(-10, "x")]).await;
    let describe = async |input: Value| {
        let answer = world.ok("DescribeLogStreams", input).await;
        names(&answer, "logStreams", "logStreamName").iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(describe(json!({"logGroupName": "g"})).await, ["idle", "job/1", "web/a", "web/b"]);
    assert_eq!(
        describe(json!({"logGroupName": "g", "logStreamNamePrefix": "web/", "descending": true})).await,
        ["web/b", "web/a"]
    );
    assert_eq!(
        describe(json!({"logGroupName": "g", "orderBy": "LastEventTime"})).await,
        ["idle", "web/b", "web/a", "job/1"]
    );
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    let first =
        json!({"logGroupIdentifier": arn, "orderBy": "LastEventTime", "descending": true, "limit": 1});
    let page = world.ok("DescribeLogStreams", first).await;
    insta::assert_json_snapshot!(page["logStreams"], @r#"
    [
      {
        "arn": "arn:aws:logs:us-east-1:000000000000:log-group:g:log-stream:job/1",
        "creationTime": 1800000000000,
        "firstEventTimestamp": 1799999999990,
        "lastEventTimestamp": 1799999999990,
        "lastIngestionTime": 1800000000000,
        "logStreamName": "job/1",
        "storedBytes": 0,
        "uploadSequenceToken": "00000000000000000000000000000000000000000000000000000001"
      }
    ]
    "#);
    let token = &page["nextToken"];
    let next =
        json!({"logGroupName": "g", "orderBy": "LastEventTime", "descending": true, "nextToken": token});
    assert_eq!(describe(next).await, ["web/a", "web/b", "idle"]);
}

#[tokio::test]
async fn each_mistake_has_its_error() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    let mut errors = Vec::new();
    for (operation, input) in [
        ("CreateLogGroup", json!({"logGroupName": "g"})),
        ("CreateLogGroup", json!({"logGroupName": "aws/x"})),
        ("CreateLogGroup", json!({"logGroupName": "k", "kmsKeyId": "alias/x"})),
        ("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"})),
        ("CreateLogStream", json!({"logGroupName": "no", "logStreamName": "s"})),
        ("DeleteLogGroup", json!({"logGroupName": "no"})),
        ("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": "no"})),
        ("DescribeLogStreams", json!({"logGroupName": "no"})),
        ("DescribeLogStreams", json!({})),
        ("DescribeLogStreams", json!({"logGroupName": "g", "logGroupIdentifier": "g"})),
        (
            "DescribeLogStreams",
            json!({"logGroupName": "g", "orderBy": "LastEventTime", "logStreamNamePrefix": "x"}),
        ),
        (
            "DescribeLogStreams",
            json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:111111111111:log-group:g"}),
        ),
        ("DescribeLogGroups", json!({"logGroupNamePrefix": "g", "logGroupNamePattern": "g"})),
        ("PutRetentionPolicy", json!({"logGroupName": "no", "retentionInDays": 1})),
        (
            "PutLogEvents",
            json!({"logGroupName": "g", "logStreamName": "no", "logEvents": [{"timestamp": NOW, "message": "x"}]}),
        ),
        ("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "no"})),
        ("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "nextToken": "f/1/s"})),
        ("FilterLogEvents", json!({"logGroupName": "g", "logStreamNames": ["no"]})),
        (
            "FilterLogEvents",
            json!({"logGroupName": "g", "logStreamNames": ["s"], "logStreamNamePrefix": "s"}),
        ),
        ("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "{ $.x == 1 }"})),
        ("FilterLogEvents", json!({"logGroupName": "g", "startTime": 1, "startFromHead": false})),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:no", "tags": {"a": "b"}}),
        ),
        (
            "TagResource",
            json!({"resourceArn": "arn:aws:ecs:us-east-1:000000000000:cluster/x", "tags": {"a": "b"}}),
        ),
    ] {
        errors.push(format!("{operation} {}", world.error(operation, input).await));
    }
    insta::assert_snapshot!(errors.join("\n"), @r"
    CreateLogGroup 400 ResourceAlreadyExistsException: The specified log group already exists
    CreateLogGroup 400 InvalidParameterException: Log groups starting with AWS/ are reserved for AWS.
    CreateLogGroup 400 InvalidParameterException: The specified KMS key does not exist: Longshore has no KMS, leave kmsKeyId out.
    CreateLogStream 400 ResourceAlreadyExistsException: The specified log stream already exists
    CreateLogStream 400 ResourceNotFoundException: The specified log group does not exist.
    DeleteLogGroup 400 ResourceNotFoundException: The specified log group does not exist.
    DeleteLogStream 400 ResourceNotFoundException: The specified log stream does not exist.
    DescribeLogStreams 400 ResourceNotFoundException: The specified log group does not exist.
    DescribeLogStreams 400 InvalidParameterException: At least one of log group name or log group ARN must be specified.
    DescribeLogStreams 400 InvalidParameterException: LogGroup name and LogGroup ARN are mutually exclusive parameters.
    DescribeLogStreams 400 InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.
    DescribeLogStreams 400 ResourceNotFoundException: The specified log group does not exist.
    DescribeLogGroups 400 InvalidParameterException: LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.
    PutRetentionPolicy 400 ResourceNotFoundException: The specified log group does not exist.
    PutLogEvents 400 ResourceNotFoundException: The specified log stream does not exist.
    GetLogEvents 400 ResourceNotFoundException: The specified log stream does not exist.
    GetLogEvents 400 InvalidParameterException: The specified nextToken is invalid.
    FilterLogEvents 400 ResourceNotFoundException: The specified log stream does not exist.
    FilterLogEvents 400 InvalidParameterException: Parameters 'logStreamNames' and 'logStreamNamePrefix' cannot be specified together.
    FilterLogEvents 400 InvalidParameterException: Invalid filter pattern: Invalid character(s) in term '='
    FilterLogEvents 400 InvalidParameterException: startFromHead can be false only when startTime is 2024-01-01T00:00:00Z or later.
    TagResource 400 ResourceNotFoundException: The specified log group does not exist.
    TagResource 400 InvalidParameterException: The ARN 'arn:aws:ecs:us-east-1:000000000000:cluster/x' names no log group
    ");
    let odd = json!({"logGroupName": "g", "retentionInDays": 2});
    assert!(world.error("PutRetentionPolicy", odd).await.starts_with("400 InvalidParameterException: "));
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed_up_to_fifty() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    world.ok("TagResource", json!({"resourceArn": arn, "tags": {"a": "1", "b": "1"}})).await;
    world.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"b": "2"}})).await;
    world.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a", "never"]})).await;
    let tags = world.ok("ListTagsLogGroup", json!({"logGroupName": "g"})).await;
    assert_eq!(tags, json!({"tags": {"b": "2"}}));
    let many: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(
        world.error("TagResource", json!({"resourceArn": arn, "tags": many})).await,
        "400 TooManyTagsException: A log group can have no more than 50 tags."
    );
    assert_eq!(world.ok("ListTagsForResource", json!({"resourceArn": arn})).await, tags);
}

#[tokio::test]
async fn deletion_takes_the_events_and_protection_prevents_it() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    world.put("g", "s", &[(0, "old")]).await;
    let protect = |on| json!({"logGroupIdentifier": "g", "deletionProtectionEnabled": on});
    world.ok("PutLogGroupDeletionProtection", protect(true)).await;
    assert!(
        world
            .error("DeleteLogGroup", json!({"logGroupName": "g"}))
            .await
            .starts_with("400 ValidationException")
    );
    world.ok("PutLogGroupDeletionProtection", protect(false)).await;
    world.ok("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    world.stream("g", "s").await;
    let read = json!({"logGroupName": "g", "logStreamName": "s", "startFromHead": true});
    assert!(messages(&world.ok("GetLogEvents", read.clone()).await).is_empty());
    world.put("g", "s", &[(0, "new")]).await;
    world.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    assert_eq!(std::fs::read_dir(directory.path().join("logs")).unwrap().count(), 0);
    assert!(world.error("GetLogEvents", read).await.starts_with("400 ResourceNotFoundException"));
}

#[tokio::test]
async fn expired_events_are_hidden_at_once_and_removed_by_the_sweep() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    world.put("g", "s", &[(0, "old")]).await;
    world.pass(4 * DAY_MS);
    let read = json!({"logGroupName": "g"});
    assert_eq!(messages(&world.ok("FilterLogEvents", read.clone()).await), ["old"]);
    world.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 3})).await;
    assert!(messages(&world.ok("FilterLogEvents", read.clone()).await).is_empty());
    let put = world.put("g", "s", &[(0, "too old"), (1000, "too old")]).await;
    assert_eq!(put["rejectedLogEventsInfo"], json!({"expiredLogEventEndIndex": 2}));
    assert_eq!(world.logs.expire().unwrap(), 1);
    world.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"})).await;
    assert!(messages(&world.ok("FilterLogEvents", read).await).is_empty());
}
