//! The life of a definition, through the operations: register, describe, deregister, delete.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::{ACCOUNT, Fixture, REGION, START_MS};

fn small(family: &str) -> Value {
    json!({"family": family, "containerDefinitions": [{"name": "app", "image": "nginx", "memory": 64}]})
}

async fn describe(fixture: &Fixture, name: &str) -> Result<Value, wire::Error> {
    fixture.json("DescribeTaskDefinition", json!({"taskDefinition": name})).await
}

#[tokio::test]
async fn a_revision_is_numbered_and_signed() {
    let fixture = Fixture::new().await;
    let tags = json!([{"key": "team", "value": "blue"}]);
    let mut request = small("web");
    request["tags"] = tags.clone();
    let first = fixture.json("RegisterTaskDefinition", request).await.unwrap();
    assert_eq!(first["tags"], tags);
    assert_eq!(
        first["taskDefinition"],
        json!({
            "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/web:1",
            "family": "web", "revision": 1, "status": "ACTIVE",
            "containerDefinitions": [{
                "name": "app", "image": "nginx", "cpu": 0, "memory": 64, "essential": true,
                "portMappings": [], "environment": [], "mountPoints": [], "volumesFrom": [],
                "systemControls": [],
            }],
            "volumes": [], "placementConstraints": [], "requiresAttributes": [],
            "compatibilities": ["EXTERNAL", "EC2"],
            "registeredAt": START_MS as f64 / 1000.0,
            "registeredBy": "arn:aws:iam::000000000000:root",
        })
    );
    fixture.clock.advance_ms(5);
    let second = fixture.json("RegisterTaskDefinition", small("web")).await.unwrap();
    assert_eq!(second["taskDefinition"]["revision"], 2);
    assert_eq!(second.get("tags"), None);

    let described = fixture
        .json("DescribeTaskDefinition", json!({"taskDefinition": "web:1", "include": ["TAGS"]}))
        .await
        .unwrap();
    assert_eq!(described, first);
    let restarted = fixture.restarted();
    assert_eq!(describe(&restarted, "web").await.unwrap()["taskDefinition"], second["taskDefinition"]);
    let arn = second["taskDefinition"]["taskDefinitionArn"].as_str().unwrap();
    assert_eq!(describe(&restarted, arn).await.unwrap()["taskDefinition"], second["taskDefinition"]);
}

#[tokio::test]
async fn the_next_number_outlives_everything() {
    let fixture = Fixture::new().await;
    fixture.json("RegisterTaskDefinition", small("web")).await.unwrap();
    fixture.clock.advance_ms(1000);
    let gone = fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await.unwrap();
    let gone = &gone["taskDefinition"];
    assert_eq!((&gone["status"], &gone["deregisteredAt"]), (&json!("INACTIVE"), &json!(1_767_225_601.0)));
    // Again, later: nothing happens, and the time stays the first.
    fixture.clock.advance_ms(1000);
    let again = fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await.unwrap();
    assert_eq!(&again["taskDefinition"], gone);
    // No longer the latest of its family, but still there by its number.
    assert_eq!(describe(&fixture, "web").await.unwrap_err().message, "Unable to describe task definition.");
    assert_eq!(&describe(&fixture, "web:1").await.unwrap()["taskDefinition"], gone);

    let deleted = fixture.json("DeleteTaskDefinitions", json!({"taskDefinitions": ["web:1"]})).await.unwrap();
    assert_eq!(deleted["failures"], json!([]));
    assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    assert_eq!(deleted["taskDefinitions"][0]["deleteRequestedAt"], 1_767_225_602.0);
    let error =
        fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await.unwrap_err();
    assert_eq!(error.message, "The specified task definition is in the process of being deleted.");
    let next = fixture.json("RegisterTaskDefinition", small("web")).await.unwrap();
    assert_eq!(next["taskDefinition"]["revision"], 2);
}

#[tokio::test]
async fn each_deletion_is_answered_for_by_itself() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        fixture.json("RegisterTaskDefinition", small("web")).await.unwrap();
    }
    fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web:2"})).await.unwrap();
    let elsewhere = "arn:aws:ecs:eu-west-1:000000000000:task-definition/web:2";
    let asked = json!(["web:1", "web:2", "web:3", "web", elsewhere]);
    let answer = fixture.json("DeleteTaskDefinitions", json!({"taskDefinitions": asked})).await.unwrap();
    assert_eq!(answer["taskDefinitions"].as_array().unwrap().len(), 1);
    let absent = "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
    assert_eq!(
        answer["failures"],
        json!([
            {"arn": "web:1", "reason": "The specified task definition is still in ACTIVE status. Please deregister the target and try again."},
            {"arn": "web:3", "reason": absent},
            {"arn": "web", "reason": "The specified task definition identifier is invalid. Specify a valid name or ARN and try again."},
            {"arn": elsewhere, "reason": absent},
        ])
    );
    assert_eq!(describe(&fixture, "web:1").await.unwrap()["taskDefinition"]["status"], "ACTIVE");
    let eleven: Vec<String> = (0..11).map(|n| format!("web:{n}")).collect();
    let error = fixture.json("DeleteTaskDefinitions", json!({"taskDefinitions": eleven})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn what_is_not_there_is_told_in_ecs_words() {
    let fixture = Fixture::new().await;
    fixture.json("RegisterTaskDefinition", small("web")).await.unwrap();
    let elsewhere = "arn:aws:ecs:us-east-1:111111111111:task-definition/web:1";
    for name in ["nobody", "web:2", elsewhere] {
        for operation in ["DescribeTaskDefinition", "DeregisterTaskDefinition"] {
            if operation == "DeregisterTaskDefinition" && name == "nobody" {
                continue;
            }
            let error = fixture.json(operation, json!({"taskDefinition": name})).await.unwrap_err();
            let said = (error.code.as_str(), error.message.as_str());
            assert_eq!(
                said,
                ("ClientException", "Unable to describe task definition."),
                "{operation} {name}"
            );
        }
    }
    let error = fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web"})).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("ClientException", "Revision is missing."));
    let error = describe(&fixture, "web:first").await.unwrap_err();
    assert_eq!(error.code, "ClientException");
    for (account, region) in [(ACCOUNT, "eu-west-1"), ("111111111111", REGION)] {
        assert!(describe(&fixture.called_from(account, region), "web").await.is_err());
    }
}

#[tokio::test]
async fn a_refused_definition_changes_nothing() {
    let fixture = Fixture::new().await;
    let before = fixture.app.world();
    for (body, code) in [
        (json!({"family": "web"}), "ClientException"),
        (json!({"family": "web", "containerDefinitions": []}), "ClientException"),
        (json!({"family": "web", "containerDefinitions": [{"name": "a", "image": "i"}]}), "ClientException"),
        (json!({"family": "web", "containerDefinitions": "many"}), "SerializationException"),
        (json!({"family": "web", "containerDefinitions": [{"memory": "much"}]}), "SerializationException"),
    ] {
        let error = fixture.json("RegisterTaskDefinition", body.clone()).await.unwrap_err();
        assert_eq!(error.code, code, "{body}: {error}");
    }
    assert!(std::sync::Arc::ptr_eq(&before, &fixture.app.world()));
}

/// Whether everything that `given` says stands in `answer` too, which may say more.
fn holds(answer: &Value, given: &Value) -> bool {
    match (answer, given) {
        (Value::Object(answer), Value::Object(given)) => {
            given.iter().all(|(name, value)| answer.get(name).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(answer), Value::Array(given)) => {
            answer.len() == given.len() && answer.iter().zip(given).all(|(a, g)| holds(a, g))
        }
        (answer, given) => answer == given,
    }
}

fn strings() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("\\PC{0,12}", 0..4)
}

/// A container's members, all but its name and what it may expect of others.
fn container() -> impl Strategy<Value = Value> {
    let environment = proptest::collection::btree_map("[A-Z_]{1,6}", "\\PC{0,12}", 0..4);
    let ports = proptest::collection::btree_set(1..=65_535i32, 0..4);
    let labels = proptest::collection::btree_map("[a-z.]{1,8}", "\\PC{0,8}", 0..3);
    let numbers = (0..512i32, 4..=4096i32, proptest::option::of(2..=120i32), any::<bool>());
    (strings(), strings(), environment, ports, labels, numbers, proptest::option::of("[a-z/]{1,12}"))
        .prop_map(
            |(command, entry_point, environment, ports, labels, (cpu, memory, stop, readonly), directory)| {
                let environment: Vec<Value> =
                    environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                let ports: Vec<Value> = ports
                    .iter()
                    .map(|port| json!({"containerPort": port, "hostPort": 0, "protocol": "udp"}))
                    .collect();
                let mut all = json!({
                    "image": "a.b/c@sha256:0", "command": command, "entryPoint": entry_point,
                    "environment": environment, "portMappings": ports, "dockerLabels": labels, "cpu": cpu,
                    "memory": memory, "readonlyRootFilesystem": readonly, "user": "1000:1000",
                    "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": true},
                    "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
                    "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}],
                    "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1m"}},
                });
                if let Some(stop) = stop {
                    all["stopTimeout"] = json!(stop);
                }
                if let Some(directory) = directory {
                    all["workingDirectory"] = json!(directory);
                }
                all
            },
        )
}

/// A definition that ECS takes: containers that each wait for the one before.
fn definition() -> impl Strategy<Value = Value> {
    let containers = proptest::collection::vec(container(), 1..=4);
    ("[A-Za-z0-9_-]{1,40}", containers, proptest::option::of("role/[a-z]{1,8}")).prop_map(
        |(family, mut containers, role)| {
            for (index, container) in containers.iter_mut().enumerate() {
                container["name"] = json!(format!("c{index}"));
                if index > 0 {
                    let before = format!("c{}", index - 1);
                    container["dependsOn"] = json!([{"containerName": before, "condition": "START"}]);
                }
            }
            let mut all = json!({
                "family": family, "containerDefinitions": containers, "networkMode": "bridge",
                "volumes": [{"name": "data", "host": {"sourcePath": "/srv"}}],
                "placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}],
                "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
                "requiresCompatibilities": ["EC2"],
            });
            if let Some(role) = role {
                all["taskRoleArn"] = json!(format!("arn:aws:iam::000000000000:{role}"));
            }
            all
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_registered_is_given_back(request in definition()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (answer, described) = runtime.block_on(async {
            let fixture = Fixture::new().await;
            let answer = fixture.json("RegisterTaskDefinition", request.clone()).await.expect("it is taken");
            let family = request["family"].as_str().expect("a family");
            (answer, describe(&fixture.restarted(), family).await.expect("it is there"))
        });
        prop_assert!(holds(&answer["taskDefinition"], &request), "{request}\n{answer}");
        prop_assert_eq!(&described["taskDefinition"], &answer["taskDefinition"]);
    }
}
