//! Filter patterns through the API, and Live Tail's messages.

mod common;

use std::collections::BTreeMap;

use common::{NOW, World, messages};
use serde_json::{Value, json};
use wire::dispatch::Answer;
use wire::eventstream::Events;

const HOUR_MS: u64 = 60 * 60 * 1000;

#[tokio::test]
async fn each_language_finds_its_events() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    let lines = [
        r#"{"level": "error", "status": 500}"#,
        r#"{"level": "info", "status": 200}"#,
        r#"10.0.0.1 - ann [now] "GET /a HTTP/1.1" 404 99"#,
        "a plain error",
    ];
    let events: Vec<_> = (0..).zip(lines).collect();
    world.put("g", "s", &events).await;
    let find = async |pattern: &str| {
        let input = json!({"logGroupName": "g", "filterPattern": pattern});
        messages(&world.ok("FilterLogEvents", input).await)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(find("error").await, [lines[0], lines[3]]);
    assert_eq!(find("{ $.status >= 500 || $.level = warn* }").await, [lines[0]]);
    assert_eq!(find("[ip, user, ..., request = \"GET *\", status = 4*, bytes]").await, [lines[2]]);
    assert_eq!(find("%plain|HTTP%").await, [lines[2], lines[3]]);
}

#[tokio::test]
async fn a_metric_filter_is_tried_on_messages() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    let input = json!({
        "filterPattern": "[ip, status = 5*, took > 10]",
        "logEventMessages": ["a 200 50", "b 500 50", "c 503 5", "d 503 11"],
    });
    insta::assert_json_snapshot!(world.ok("TestMetricFilter", input).await, @r#"
    {
      "matches": [
        {
          "eventMessage": "b 500 50",
          "eventNumber": 2,
          "extractedValues": {
            "$ip": "b",
            "$status": "500",
            "$took": "50"
          }
        },
        {
          "eventMessage": "d 503 11",
          "eventNumber": 4,
          "extractedValues": {
            "$ip": "d",
            "$status": "503",
            "$took": "11"
          }
        }
      ]
    }
    "#);
}

async fn start(world: &World, input: Value) -> Result<Box<dyn Events>, wire::Error> {
    let context = wire::Context {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        request_id: "the-request".into(),
        ..wire::Context::default()
    };
    let body = serde_json::to_vec(&input).unwrap();
    match world.router.answer("logs", "StartLiveTail", context, &body).await? {
        Answer::Events(events) => Ok(events),
        Answer::Whole(_) => panic!("a whole body"),
    }
}

/// The messages in the bytes: headers and payload, both checksums checked.
fn decode(mut bytes: &[u8]) -> Vec<(BTreeMap<String, String>, Value)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (total, head) = (number(0), number(4));
        assert_eq!(number(8) as u32, crc32fast::hash(&bytes[..8]));
        assert_eq!(number(total - 4) as u32, crc32fast::hash(&bytes[..total - 4]));
        let mut headers = BTreeMap::new();
        let mut rest = &bytes[12..12 + head];
        while let [len, more @ ..] = rest {
            let (name, more) = more.split_at(usize::from(*len));
            let (value, after) = more[3..].split_at(usize::from(u16::from_be_bytes([more[1], more[2]])));
            headers.insert(
                String::from_utf8(name.to_vec()).unwrap(),
                String::from_utf8(value.to_vec()).unwrap(),
            );
            rest = after;
        }
        all.push((headers, serde_json::from_slice(&bytes[12 + head..total - 4]).unwrap()));
        bytes = &bytes[total..];
    }
    all
}

/// Events of updates until `enough` of them came.
async fn follow(session: &mut Box<dyn Events>, enough: usize) -> (Vec<Value>, bool) {
    let (mut seen, mut sampled) = (Vec::new(), false);
    while seen.len() < enough {
        for (headers, update) in decode(&session.next().await.unwrap()) {
            assert_eq!(headers[":event-type"], "sessionUpdate");
            seen.extend(update["sessionResults"].as_array().unwrap().clone());
            sampled |= update["sessionMetadata"]["sampled"].as_bool().unwrap();
        }
    }
    (seen, sampled)
}

#[tokio::test]
async fn a_session_shows_what_comes_and_matches_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::packing(directory.path());
    for stream in ["web/1", "job/1"] {
        world.stream("g", stream).await;
    }
    world.put("g", "web/1", &[(0, "error before")]).await;
    drop(world);
    // After a restart: the stream isn't read, and what it had isn't new.
    let world = World::packing(directory.path());
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:g";
    let input = json!({
        "logGroupIdentifiers": [arn], "logStreamNamePrefixes": ["web/"], "logEventFilterPattern": "error",
    });
    let mut session = start(&world, input).await.unwrap();
    let head = decode(&session.next().await.unwrap());
    assert_eq!(head[0].0[":event-type"], "initial-response");
    assert_eq!(head[1].0[":event-type"], "sessionStart");
    insta::assert_json_snapshot!(head[1].1, @r#"
    {
      "logEventFilterPattern": "error",
      "logGroupIdentifiers": [
        "arn:aws:logs:us-east-1:000000000000:log-group:g"
      ],
      "logStreamNamePrefixes": [
        "web/"
      ],
      "logStreamNames": [],
      "requestId": "the-request",
      "sessionId": "the-request"
    }
    "#);
    world.put("g", "web/1", &[(1, "an error"), (2, "fine")]).await;
    world.put("g", "job/1", &[(1, "another stream's error")]).await;
    world.stream("g", "web/2").await;
    world.put("g", "web/2", &[(3, "error of a new stream")]).await;
    world.logs.tidy().unwrap();
    let (seen, sampled) = follow(&mut session, 2).await;
    assert!(!sampled);
    insta::assert_json_snapshot!(seen, @r#"
    [
      {
        "ingestionTime": 1800000000000,
        "logGroupIdentifier": "arn:aws:logs:us-east-1:000000000000:log-group:g",
        "logStreamName": "web/1",
        "message": "an error",
        "timestamp": 1800000000001
      },
      {
        "ingestionTime": 1800000000000,
        "logGroupIdentifier": "arn:aws:logs:us-east-1:000000000000:log-group:g",
        "logStreamName": "web/2",
        "message": "error of a new stream",
        "timestamp": 1800000000003
      }
    ]
    "#);
    let many: Vec<String> = (0..2_000).map(|number| format!("error {number}")).collect();
    let many: Vec<_> = many.iter().map(|line| (4, line.as_str())).collect();
    world.put("g", "web/1", &many).await;
    let (seen, sampled) = follow(&mut session, 1).await;
    assert_eq!((seen.len(), sampled), (500, true));

    world.pass(3 * HOUR_MS);
    let last = decode(&session.next().await.unwrap());
    assert_eq!(last[0].0[":message-type"], "exception");
    assert_eq!(last[0].0[":exception-type"], "SessionTimeoutException");
    assert!(session.next().await.is_none());
}

#[tokio::test]
async fn a_session_that_asks_for_what_cannot_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path());
    world.stream("g", "s").await;
    world.stream("h", "s").await;
    let mut errors = Vec::new();
    for input in [
        json!({"logGroupIdentifiers": ["none"]}),
        json!({"logGroupIdentifiers": ["g"], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]}),
        json!({"logGroupIdentifiers": ["g", "h"], "logStreamNames": ["s"]}),
        json!({"logGroupIdentifiers": ["g"], "logEventFilterPattern": "{ $.a"}),
    ] {
        let Err(error) = start(&world, input).await else { panic!("started") };
        errors.push(format!("{} {}", error.code, error.message));
    }
    insta::assert_snapshot!(errors.join("\n"), @r"
    ResourceNotFoundException The specified log group does not exist.
    InvalidParameterException logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.
    InvalidParameterException logStreamNames and logStreamNamePrefixes can be specified with one log group only.
    InvalidParameterException Invalid filter pattern: If a filter pattern starts with '{' it must end with '}'
    ");
}

#[tokio::test]
async fn the_oldest_segments_go_when_all_are_above_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let store = store::MemoryStore::new();
    let world = World::configured(directory.path(), std::sync::Arc::new(store), |config| {
        config.segment_bytes = 100_000;
        config.max_bytes = 1 << 20;
    });
    for stream in ["old", "new"] {
        world.stream("g", stream).await;
    }
    let mut noise = 1u64;
    let mut line = || {
        let digits = (0..1_250).map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{noise:016x}")
        });
        digits.collect::<String>()
    };
    for number in 0..200 {
        world.pass(1);
        let stream = if number < 10 { "old" } else { "new" };
        world.put("g", stream, &[(number, &line())]).await;
    }
    let usage = || {
        let groups = std::fs::read_dir(directory.path().join("logs")).unwrap();
        let files = groups.flat_map(|group| std::fs::read_dir(group.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    // A put that was answered a moment ago may still count as under way.
    while usage() > 1 << 20 {
        world.logs.tidy().unwrap();
        tokio::task::yield_now().await;
    }
    let left = async |stream: &str| {
        let described = world.ok("DescribeLogStreams", json!({"logGroupName": "g"})).await;
        let streams = described["logStreams"].as_array().unwrap().clone();
        let one = streams.into_iter().find(|one| one["logStreamName"] == stream).unwrap();
        (one["firstEventTimestamp"].clone(), one["lastEventTimestamp"].clone())
    };
    assert_eq!(left("old").await, (Value::Null, Value::Null));
    let (first, last) = left("new").await;
    assert!(first.as_i64().unwrap() > NOW + 10, "{first}");
    assert_eq!(last, NOW + 199);
    // It goes on as before.
    world.put("g", "old", &[(300, "again")]).await;
    assert_eq!(left("old").await.0, NOW + 300);
}
