//! Putting, getting and filtering events: what the API answers.

mod common;

use common::{NOW, World, messages};
use serde_json::{Value, json};

fn get(more: Value) -> Value {
    let mut input = json!({"logGroupName": "g", "logStreamName": "s"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn events_come_back_as_they_were_put() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    let put = world.put("g", "s", &[(-5, "first"), (-5, "żółć\u{0}\t\"")]).await;
    insta::assert_json_snapshot!(put, @r#"
    {
      "nextSequenceToken": "00000000000000000000000000000000000000000000000000000002"
    }
    "#);
    let answer = world.ok("GetLogEvents", get(json!({"startFromHead": true}))).await;
    insta::assert_json_snapshot!(answer, @r##"
    {
      "events": [
        {
          "ingestionTime": 1800000000000,
          "message": "first",
          "timestamp": 1799999999995
        },
        {
          "ingestionTime": 1800000000000,
          "message": "żółć\u0000\t\"",
          "timestamp": 1799999999995
        }
      ],
      "nextBackwardToken": "b/00017999999999950000000000000000000200000000000000000000/s",
      "nextForwardToken": "f/00017999999999950000000000000000000200000000000000000002/s"
    }
    "##);
    let answer = world.ok("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "first"})).await;
    insta::assert_json_snapshot!(answer, @r##"
    {
      "events": [
        {
          "eventId": "00017999999999950000000000000000000200000000000000000000",
          "ingestionTime": 1800000000000,
          "logStreamName": "s",
          "message": "first",
          "timestamp": 1799999999995
        }
      ],
      "searchedLogStreams": []
    }
    "##);
}

#[tokio::test]
async fn get_pages_both_ways_and_its_tokens_rest_at_the_ends() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    let empty = world.ok("GetLogEvents", get(json!({}))).await;
    world.put("g", "s", &[(1, "1"), (2, "2"), (3, "3")]).await;
    world.put("g", "s", &[(3, "4"), (5, "5")]).await;

    let tail = world.ok("GetLogEvents", get(json!({"limit": 2}))).await;
    assert_eq!(messages(&tail), ["4", "5"]);
    let back =
        world.ok("GetLogEvents", get(json!({"limit": 2, "nextToken": tail["nextBackwardToken"]}))).await;
    assert_eq!(messages(&back), ["2", "3"]);
    let forth =
        world.ok("GetLogEvents", get(json!({"limit": 9, "nextToken": back["nextForwardToken"]}))).await;
    assert_eq!(messages(&forth), ["4", "5"]);
    let end = world.ok("GetLogEvents", get(json!({"nextToken": forth["nextForwardToken"]}))).await;
    assert!(messages(&end).is_empty());
    assert_eq!(end["nextForwardToken"], forth["nextForwardToken"]);
    let start = world.ok("GetLogEvents", get(json!({"nextToken": back["nextBackwardToken"]}))).await;
    assert_eq!(messages(&start), ["1"]);
    let before = world.ok("GetLogEvents", get(json!({"nextToken": start["nextBackwardToken"]}))).await;
    assert!(messages(&before).is_empty());
    assert_eq!(before["nextBackwardToken"], start["nextBackwardToken"]);

    // Following: what arrives later is behind the token of an empty page.
    let late = world.ok("GetLogEvents", get(json!({"nextToken": empty["nextForwardToken"]}))).await;
    assert_eq!(messages(&late), ["1", "2", "3", "4", "5"]);
    world.put("g", "s", &[(6, "6")]).await;
    let next = world.ok("GetLogEvents", get(json!({"nextToken": end["nextForwardToken"]}))).await;
    assert_eq!(messages(&next), ["6"]);
    // The end time is exclusive here and inclusive in FilterLogEvents.
    let window = json!({"startTime": NOW + 2, "endTime": NOW + 5, "startFromHead": true});
    assert_eq!(messages(&world.ok("GetLogEvents", get(window)).await), ["2", "3", "4"]);
    let window = json!({"logGroupName": "g", "startTime": NOW + 2, "endTime": NOW + 5});
    assert_eq!(messages(&world.ok("FilterLogEvents", window).await), ["2", "3", "4", "5"]);
}

#[tokio::test]
async fn filter_interleaves_streams_and_chooses_among_them() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    for stream in ["web/1", "web/2", "job/1"] {
        world.stream("g", stream).await;
    }
    world.put("g", "web/2", &[(1, "GET /a 200"), (4, "GET /b 500")]).await;
    world.put("g", "web/1", &[(2, "GET /b 200"), (3, "POST /a 500")]).await;
    world.put("g", "job/1", &[(2, "started"), (9, "ended")]).await;
    let filter = async |more: Value| {
        let mut input = json!({"logGroupName": "g"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = world.ok("FilterLogEvents", input).await;
        messages(&answer).join("|")
    };
    assert_eq!(filter(json!({})).await, "GET /a 200|GET /b 200|started|POST /a 500|GET /b 500|ended");
    assert_eq!(
        filter(json!({"logStreamNamePrefix": "web/"})).await,
        "GET /a 200|GET /b 200|POST /a 500|GET /b 500"
    );
    assert_eq!(filter(json!({"logStreamNames": ["job/1", "job/1"]})).await, "started|ended");
    assert_eq!(filter(json!({"filterPattern": "GET -200"})).await, "GET /b 500");
    assert_eq!(filter(json!({"filterPattern": "?POST ?ended"})).await, "POST /a 500|ended");
    assert_eq!(filter(json!({"filterPattern": "\"/a 5\""})).await, "POST /a 500");
    assert_eq!(
        filter(json!({"startFromHead": false, "startTime": NOW + 3})).await,
        "ended|GET /b 500|POST /a 500"
    );
}

#[tokio::test]
async fn filter_pages_hold_every_match_once_with_unique_ids() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    for stream in ["a", "b", "c"] {
        world.stream("g", stream).await;
        for put in 0..4 {
            let lines: Vec<String> =
                (0..25).map(|n| format!("{stream}{put}-{n} {}", ["even", "odd"][n % 2])).collect();
            let events: Vec<_> = lines.iter().map(|line| (put / 2, line.as_str())).collect();
            world.put("g", stream, &events).await;
        }
    }
    for forward in [true, false] {
        let (mut ids, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({
                "logGroupName": "g", "filterPattern": "odd", "limit": 7, "nextToken": token,
                "startFromHead": forward, "startTime": NOW,
            });
            let page = world.ok("FilterLogEvents", input).await;
            let events = page["events"].as_array().unwrap();
            ids.extend(events.iter().map(|event| event["eventId"].as_str().unwrap().to_owned()));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(ids.len(), 3 * 4 * 12);
        assert!(ids.is_sorted_by(|a, b| if forward { a < b } else { a > b }));
    }
}

#[tokio::test]
async fn rejected_events_are_named_and_the_others_kept() {
    const HOUR: i64 = 60 * 60 * 1000;
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    let put = world.put("g", "s", &[(-400 * HOUR, "old"), (0, "kept"), (3 * HOUR, "new")]).await;
    assert_eq!(
        put["rejectedLogEventsInfo"],
        json!({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2})
    );
    let none = world.put("g", "s", &[(-400 * HOUR, "old")]).await;
    assert_eq!(none["nextSequenceToken"], put["nextSequenceToken"]);
    assert_eq!(messages(&world.ok("FilterLogEvents", json!({"logGroupName": "g"})).await), ["kept"]);
    let unordered = json!({"logGroupName": "g", "logStreamName": "s", "logEvents": [
        {"timestamp": NOW, "message": "b"}, {"timestamp": NOW - 1, "message": "a"},
    ]});
    assert_eq!(
        world.error("PutLogEvents", unordered).await,
        "400 InvalidParameterException: Log events in a single PutLogEvents request must be in chronological order."
    );
}

#[tokio::test]
async fn all_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    world.put("g", "s", &[(0, "one"), (1, "two")]).await;
    let before = world.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    drop(world);
    let world = World::open(directory.path());
    assert_eq!(world.ok("FilterLogEvents", json!({"logGroupName": "g"})).await, before);
    world.put("g", "s", &[(2, "three")]).await;
    let all = world.ok("GetLogEvents", get(json!({}))).await;
    assert_eq!(messages(&all), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_puts_to_many_streams_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let world = std::sync::Arc::new(World::open(directory.path()));
    world.ok("CreateLogGroup", json!({"logGroupName": "g"})).await;
    let mut writers = tokio::task::JoinSet::new();
    for stream in 0..10 {
        let world = std::sync::Arc::clone(&world);
        writers.spawn(async move {
            let name = format!("s{stream}");
            world.stream("g", &name).await;
            for number in 0..20 {
                world.put("g", &name, &[(number, "x"), (number, "y")]).await;
            }
        });
    }
    writers.join_all().await;
    let all = world.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    assert_eq!(messages(&all).len(), 400);
}
