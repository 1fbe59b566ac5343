use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::state::BusKey;

fn rule() -> RuleKey {
    let bus = BusKey { account: "000000000000".into(), region: "us-east-1".into(), name: "default".into() };
    RuleKey { bus, name: "nightly".into() }
}

fn target(members: Value) -> Target {
    let mut target = json!({"Id": "t", "Arn": "http://localhost/"});
    for (name, value) in members.as_object().unwrap() {
        target[name] = value.clone();
    }
    serde_json::from_value(target).unwrap()
}

fn event() -> Value {
    json!({
        "id": "1", "source": "aws.ecs", "time": "2026-10-02T16:24:49Z", "resources": ["arn:r"],
        "detail": {"state": "say \"hi\"", "count": 5, "list": [{"n": "a"}, {"n": "b"}]},
    })
}

fn given(members: Value) -> String {
    input::of(&target(members), &rule(), &event(), 0).text()
}

#[test]
fn what_a_target_is_given() {
    let template = |template: &str| {
        let paths = json!({
            "state": "$.detail.state", "count": "$.detail.count", "names": "$.detail.list[*].n", "gone": "$.detail.x",
            "first": "$.resources[0]", "whole": "$.detail.list",
        });
        given(json!({"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}))
    };
    assert_eq!(given(json!({})), event().to_string());
    assert_eq!(given(json!({"Input": r#"{"a": 1}"#})), r#"{"a":1}"#);
    assert_eq!(given(json!({"InputPath": "$.detail.count"})), "5");
    assert_eq!(given(json!({"InputPath": "$.detail['list'][1].n"})), "\"b\"");
    assert_eq!(given(json!({"InputPath": "$.detail.gone"})), "null");
    for (text, expected) in [
        (r#""<first> has <count> and <state>""#, r#""arn:r has 5 and say \"hi\"""#),
        (
            r#"{"s": <state>, "n": <count>, "l": <names>, "t": "<count>"}"#,
            r#"{"l":["a","b"],"n":5,"s":"say \"hi\"","t":"5"}"#,
        ),
        (r#"{"in text": "<whole>"}"#, r#"{"in text":"[{\"n\":\"a\"},{\"n\":\"b\"}]"}"#),
        (r#""no <gone> here""#, r#""no  here""#),
        ("<count> < 6, not JSON", "5 < 6, not JSON"),
        (
            r#"{"r": "<aws.events.rule-name>", "at": <aws.events.event.ingestion-time>}"#,
            r#"{"at":"1970-01-01T00:00:00Z","r":"nightly"}"#,
        ),
        (r#""<aws.events.rule-arn>""#, r#""arn:aws:events:us-east-1:000000000000:rule/nightly""#),
    ] {
        assert_eq!(template(text), expected, "{text}");
    }
    let whole: Value =
        serde_json::from_str(&template(r#"{"e": <aws.events.event>, "j": <aws.events.event.json>}"#))
            .unwrap();
    assert_eq!(whole["j"], event());
    assert!(whole["e"].get("detail").is_none() && whole["e"]["id"] == "1");
}

#[test]
fn what_is_wrong_with_a_target() {
    let cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
    let ecs = json!({"TaskDefinitionArn": "job"});
    let said: Vec<String> = [
        json!({}),
        json!({"Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/events/x:*"}),
        json!({"Arn": cluster, "EcsParameters": ecs}),
        json!({"Arn": "nonsense"}),
        json!({"Arn": "http://"}),
        json!({"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}),
        json!({"Arn": "arn:aws:logs:eu-west-1:000000000000:log-group:x"}),
        json!({"Arn": cluster}),
        json!({"EcsParameters": ecs}),
        json!({"SqsParameters": {"MessageGroupId": "x"}}),
        json!({"Input": "{}", "InputPath": "$.detail"}),
        json!({"Input": "{"}),
        json!({"InputPath": "detail"}),
        json!({"InputTransformer": {"InputPathsMap": {"a": "x"}, "InputTemplate": "<a>"}}),
        json!({"InputTransformer": {"InputPathsMap": {"aws.a": "$.x"}, "InputTemplate": "x"}}),
        json!({"InputTransformer": {"InputTemplate": "<a>"}}),
        json!({"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}}),
    ]
    .into_iter()
    .map(|members| match check::target(&target(members.clone()), "000000000000", "us-east-1") {
        Ok(()) => format!("{members}\n  good"),
        Err(message) => format!("{members}\n  {message}"),
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// Other services, whose answers are set by hand.
#[derive(Default)]
struct Others {
    asked: Mutex<Vec<(String, Value)>>,
    answers: Mutex<Vec<Result<Value, wire::Error>>>,
}

impl Others {
    fn answering(answers: impl IntoIterator<Item = Result<Value, wire::Error>>) -> Arc<Self> {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Arc::new(Self { asked: Mutex::default(), answers: Mutex::new(answers) })
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Calls for Others {
    fn call(&self, call: Call) -> Called<'_> {
        let body = serde_json::from_slice(&call.body).unwrap();
        self.asked.lock().unwrap().push((call.operation.to_owned(), body));
        let answer = self.answers.lock().unwrap().pop().expect("an answer");
        Box::pin(async move { answer.map(|answer| answer.to_string().into_bytes()) })
    }
}

async fn deliver(others: &Arc<Others>, members: Value, change: impl FnOnce(&mut Delivery)) -> Outcome {
    let mut delivery = Delivery {
        rule: rule(),
        target: "t".into(),
        about: "a".into(),
        event: Arc::new(event()),
        accepted_ms: 0,
        attempts: 0,
        due_ms: 0,
        left: None,
        dead: None,
    };
    change(&mut delivery);
    Postman::new(others.clone()).unwrap().deliver(7, &delivery, &target(members)).await
}

fn cluster() -> Value {
    json!({
        "Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
        "EcsParameters": {
            "TaskDefinitionArn": "job", "TaskCount": 3, "LaunchType": "FARGATE", "Group": "g",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"], "AssignPublicIp": "ENABLED"}},
            "Tags": [{"Key": "k", "Value": "v"}],
        },
        "Input": r#"{"containerOverrides": [{"name": "main", "command": ["x"]}]}"#,
    })
}

#[tokio::test]
async fn tasks_are_run_with_what_the_target_says() {
    let others = Others::answering([Ok(json!({"tasks": [{}, {}, {}], "failures": []}))]);
    assert_eq!(deliver(&others, cluster(), |_| {}).await, Outcome::Done);
    let expected = json!({
        "cluster": "default", "taskDefinition": "job", "count": 3, "clientToken": "event-7-0-3", "group": "g",
        "startedBy": "events-rule/nightly", "launchType": "FARGATE", "tags": [{"key": "k", "value": "v"}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"], "assignPublicIp": "ENABLED"}},
        "overrides": {"containerOverrides": [{"name": "main", "command": ["x"]}]},
    });
    assert_eq!(others.asked(), [("RunTask".to_owned(), expected)]);
}

#[tokio::test]
async fn tasks_without_room_are_left_for_later_and_a_bad_request_is_not() {
    let full = json!({"tasks": [{}], "failures": [{"reason": "RESOURCE:CPU"}, {"reason": "RESOURCE:CPU"}]});
    let others = Others::answering([Ok(full), Ok(json!({"tasks": [{}, {}], "failures": []}))]);
    let Outcome::Later { error, left, .. } = deliver(&others, cluster(), |_| {}).await else { panic!() };
    assert_eq!((error.message.as_str(), left), ("RESOURCE:CPU", Some(2)));
    let again = |delivery: &mut Delivery| (delivery.attempts, delivery.left) = (1, left);
    assert_eq!(deliver(&others, cluster(), again).await, Outcome::Done);
    assert_eq!(others.asked()[1].1["count"], 2);
    let bad = Others::answering([Err(wire::Error::client("TaskDefinition not found."))]);
    assert!(matches!(deliver(&bad, cluster(), |_| {}).await, Outcome::Never(_)));
    let down = Others::answering([Err(wire::Error::server("down"))]);
    assert!(matches!(deliver(&down, cluster(), |_| {}).await, Outcome::Later { left: Some(3), .. }));
}

#[tokio::test]
async fn a_log_group_gets_a_stream_for_each_target() {
    let missing =
        || Err(wire::Error::new("ResourceNotFoundException", "The specified log stream does not exist."));
    let group = json!({"Arn": "arn:aws:logs:us-east-1:000000000000:log-group:/events/x"});
    let others = Others::answering([missing(), Ok(json!({})), Ok(json!({}))]);
    assert_eq!(deliver(&others, group.clone(), |_| {}).await, Outcome::Done);
    let names: Vec<String> = others.asked().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["PutLogEvents", "CreateLogStream", "PutLogEvents"]);
    let put = &others.asked()[2].1;
    assert_eq!((&put["logGroupName"], &put["logStreamName"]), (&json!("/events/x"), &json!("nightly/t")));
    assert_eq!(
        put["logEvents"],
        json!([{"timestamp": 1_790_958_289_000u64, "message": event().to_string()}])
    );
    let gone = Others::answering([missing(), missing()]);
    assert!(matches!(deliver(&gone, group, |_| {}).await, Outcome::Never(_)));
}

#[tokio::test]
async fn a_dead_letter_says_why() {
    let dead = DeadLetter {
        error_code: "C".into(),
        error_message: "m".into(),
        exhausted: Some("MaximumRetryAttempts".into()),
        attempts: 3,
    };
    let others = Others::answering([Ok(json!({}))]);
    let queue = json!({"DeadLetterConfig": {"Arn": "arn:aws:logs:us-east-1:000000000000:log-group:dead"}});
    assert_eq!(deliver(&others, queue, |delivery| delivery.dead = Some(dead)).await, Outcome::Done);
    let letter: Value =
        serde_json::from_str(others.asked()[0].1["logEvents"][0]["message"].as_str().unwrap()).unwrap();
    assert_eq!(letter["event"], event());
    assert_eq!(letter["attributes"]["EXHAUSTED_RETRY_CONDITION"], "MaximumRetryAttempts");
    assert_eq!(letter["attributes"]["TARGET_ARN"], "http://localhost/");
}
