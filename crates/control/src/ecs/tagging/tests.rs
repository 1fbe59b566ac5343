//! TagResource, UntagResource and ListTagsForResource for each kind of resource.

use model::Home;
use model::command::{Command, Resource};
use serde_json::{Value, json};

use crate::testing::{ACCOUNT, Fixture, REGION};

fn arn(resource: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}")
}

/// A cluster with an instance, a definition, a service and a task; the ARN of each.
async fn one_of_each() -> (Fixture, Vec<String>) {
    let fixture = Fixture::new().await;
    let instance = fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await;
    let containers = json!([{"name": "app", "image": "nginx", "memory": 64}]);
    let definition = json!({"family": "web", "containerDefinitions": containers});
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    let service =
        json!({"serviceName": "shop", "taskDefinition": "web", "desiredCount": 1, "launchType": "EC2"});
    fixture.json("CreateService", service).await.unwrap();
    let run = fixture.json("RunTask", json!({"taskDefinition": "web", "launchType": "EC2"})).await.unwrap();
    let task = run["tasks"][0]["taskArn"].as_str().expect("a task runs").to_owned();
    let arns = vec![
        arn("cluster/default"),
        arn(&format!("container-instance/default/{instance}")),
        arn("task-definition/web:1"),
        arn("service/default/shop"),
        task,
    ];
    (fixture, arns)
}

async fn tags(fixture: &Fixture, arn: &str) -> Value {
    fixture.json("ListTagsForResource", json!({"resourceArn": arn})).await.unwrap()["tags"].clone()
}

async fn refused(fixture: &Fixture, arn: &str) -> (String, String) {
    let calls = [
        ("TagResource", json!({"resourceArn": arn, "tags": [{"key": "a", "value": "1"}]})),
        ("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]})),
        ("ListTagsForResource", json!({"resourceArn": arn})),
    ];
    let mut said = Vec::new();
    for (operation, body) in calls {
        let error = fixture.json(operation, body).await.expect_err(arn);
        said.push((error.code, error.message));
    }
    said.dedup();
    assert_eq!(said.len(), 1, "the three say the same: {said:?}");
    said.remove(0)
}

#[tokio::test]
async fn everything_can_be_tagged_and_untagged() {
    let (fixture, arns) = one_of_each().await;
    for arn in arns {
        assert_eq!(tags(&fixture, &arn).await, json!([]), "{arn}");
        for (key, value) in [("a", "1"), ("b", ""), ("a", "2")] {
            let body = json!({"resourceArn": arn, "tags": [{"key": key, "value": value}]});
            assert_eq!(fixture.json("TagResource", body).await.unwrap(), json!({}));
        }
        let both = json!([{"key": "a", "value": "2"}, {"key": "b", "value": ""}]);
        assert_eq!(tags(&fixture, &arn).await, both, "{arn}");
        let body = json!({"resourceArn": arn, "tagKeys": ["a", "never"]});
        assert_eq!(fixture.json("UntagResource", body).await.unwrap(), json!({}));
        assert_eq!(tags(&fixture.restarted(), &arn).await, json!([{"key": "b", "value": ""}]), "{arn}");
    }
    let cluster = Resource::Cluster(fixture.cluster("default"));
    assert_eq!(fixture.tags_of(&cluster), [("b".to_owned(), String::new())]);
}

#[tokio::test]
async fn bad_tags_change_nothing() {
    let (fixture, arns) = one_of_each().await;
    let many: Vec<Value> = (0..50).map(|n| json!({"key": format!("k{n}"), "value": ""})).collect();
    for arn in arns {
        for bad in [
            json!([]),
            json!([{"key": "aws:a", "value": ""}]),
            json!([{"key": "", "value": ""}]),
            json!([{"key": "a", "value": ""}, {"key": "a", "value": ""}]),
        ] {
            let error =
                fixture.json("TagResource", json!({"resourceArn": arn, "tags": bad})).await.unwrap_err();
            assert_eq!(error.code, "InvalidParameterException", "{bad}");
        }
        let error = fixture
            .json("UntagResource", json!({"resourceArn": arn, "tagKeys": ["aws:a"]}))
            .await
            .unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
        fixture.json("TagResource", json!({"resourceArn": arn, "tags": many})).await.unwrap();
        let more = json!({"resourceArn": arn, "tags": [{"key": "one-more", "value": ""}]});
        assert_eq!(fixture.json("TagResource", more).await.unwrap_err().code, "InvalidParameterException");
        assert_eq!(tags(&fixture, &arn).await, json!(many));
    }
}

#[tokio::test]
async fn what_is_no_resource_of_the_caller_is_refused() {
    let (fixture, arns) = one_of_each().await;
    let invalid = "InvalidParameterException".to_owned();
    for (arn, code, words) in [
        ("default", &*invalid, "Invalid ARN: default is not the ARN of an Amazon ECS resource."),
        ("arn:aws:ecr:us-east-1:000000000000:repository/a", &invalid, "Invalid ARN: "),
        (&arn("service/shop"), &invalid, "Long arn format must be used for tagging operations"),
        (&arn("cluster/nobody"), "ClusterNotFoundException", "Cluster not found."),
        (&arn("service/nobody/shop"), "ClusterNotFoundException", "Cluster not found."),
        (&arn("service/default/nobody"), &invalid, "The specified service does not exist."),
        (&arn("task/default/0123"), &invalid, "The specified task does not exist."),
        (&arn(&format!("task/default/{:032x}", 7)), &invalid, "The specified task does not exist."),
        (
            &arn(&format!("container-instance/default/{:032x}", 7)),
            &invalid,
            "The specified container instance does not exist.",
        ),
        (
            &arn("task-definition/web:2"),
            &invalid,
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        ),
        (&arn("task-definition/web"), &invalid, "Invalid ARN: "),
        (
            &arn("capacity-provider/mine"),
            &invalid,
            "The specified capacity provider does not exist. Specify a valid name or ARN and try again.",
        ),
        (&arn("daemon/x"), &invalid, "Unsupported resource type: daemon"),
    ] {
        let (said_code, said) = refused(&fixture, arn).await;
        assert_eq!(said_code, code, "{arn}");
        assert!(said.starts_with(words), "{arn}: {said}");
    }
    for (account, region) in [("111111111111", REGION), (ACCOUNT, "eu-west-1")] {
        let stranger = fixture.called_from(account, region);
        for arn in &arns {
            refused(&stranger, arn).await;
        }
    }
}

#[tokio::test]
async fn what_is_over_is_refused() {
    let (fixture, arns) = one_of_each().await;
    let world = fixture.app.world();
    let instance = world.all_instances().next().expect("there is one").id;
    for task in world.all_tasks().map(|task| task.id).collect::<Vec<_>>() {
        let stop = Command::StopTask {
            cluster: fixture.cluster("default"),
            task,
            code: model::StopCode::UserInitiated,
            reason: "".into(),
        };
        fixture.submit(stop).await;
    }
    let delete = json!({"service": "shop", "force": true});
    fixture.json("DeleteService", delete).await.unwrap();
    fixture.submit(Command::DeregisterInstance { id: instance, force: true }).await;
    let over = [
        (
            &arns[1],
            "The specified container instance is inactive. Specify an active container instance and try again.",
        ),
        (&arns[4], "The specified task is stopped. Specify a running task and try again."),
    ];
    for (arn, words) in over {
        assert_eq!(
            refused(&fixture, arn).await,
            ("InvalidParameterException".to_owned(), words.to_owned()),
            "{arn}"
        );
    }
    fixture.json("CreateCluster", json!({"clusterName": "blue"})).await.unwrap();
    fixture.json("DeleteCluster", json!({"cluster": "blue"})).await.unwrap();
    assert_eq!(
        refused(&fixture, &arn("cluster/blue")).await.1,
        "The specified cluster is inactive. Specify an active cluster and try again."
    );
    // A deregistered revision keeps its tags.
    fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await.unwrap();
    assert_eq!(tags(&fixture, &arns[2]).await, json!([]));
}
