use model::{Command, Home, InstanceId};
use serde_json::{Value, json};

use crate::testing::Fixture;

async fn machine(fixture: &Fixture) -> String {
    let id = fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await;
    id.to_string()
}

async fn register(fixture: &Fixture, container: Value) {
    let mut whole = json!({"name": "app", "image": "nginx", "memory": 64});
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    let request = json!({"family": "web", "containerDefinitions": [whole]});
    fixture.json("RegisterTaskDefinition", request).await.unwrap();
}

async fn start(fixture: &Fixture, instances: &[&str], more: Value) -> Result<Value, wire::Error> {
    let mut body = json!({"taskDefinition": "web", "containerInstances": instances});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fixture.json("StartTask", body).await
}

fn reasons(answer: &Value) -> Vec<&str> {
    answer["failures"].as_array().unwrap().iter().map(|failure| failure["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_task_on_each_of_the_instances() {
    let fixture = Fixture::new().await;
    register(&fixture, json!({})).await;
    let (one, two) = (machine(&fixture).await, machine(&fixture).await);
    let more = json!({
        "startedBy": "me", "group": "batch", "tags": [{"key": "a", "value": "b"}], "enableECSManagedTags": true,
        "overrides": {"containerOverrides": [{"name": "app", "command": ["true"]}]},
    });
    let answer = start(&fixture, &[&one, &two], more).await.unwrap();
    assert_eq!(reasons(&answer), Vec::<&str>::new());
    let tasks = answer["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2);
    for (task, instance) in tasks.iter().zip([one, two]) {
        assert!(task["containerInstanceArn"].as_str().unwrap().ends_with(&instance));
        assert_eq!((&task["launchType"], &task["group"]), (&json!("EC2"), &json!("batch")));
        assert_eq!((&task["startedBy"], &task["lastStatus"]), (&json!("me"), &json!("PROVISIONING")));
        assert_eq!(task["overrides"]["containerOverrides"][0]["command"], json!(["true"]));
        assert_eq!(task["tags"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_a_failure_with_its_reason() {
    let fixture = Fixture::new().await;
    register(&fixture, json!({"portMappings": [{"containerPort": 80, "hostPort": 80}]})).await;
    let (full, drains, gone, away) =
        (machine(&fixture).await, machine(&fixture).await, machine(&fixture).await, machine(&fixture).await);
    start(&fixture, &[&full], json!({})).await.unwrap();
    let id = |text: &str| text.parse::<InstanceId>().unwrap();
    let drain = json!({"containerInstances": [drains], "status": "DRAINING"});
    fixture.json("UpdateContainerInstancesState", drain).await.unwrap();
    fixture.submit(Command::DeregisterInstance { id: id(&gone), force: false }).await;
    fixture.submit(Command::SetAgentConnected { id: id(&away), connected: false }).await;
    let pool = fixture.instance(Home::Pool, &[]).await.to_string();
    let never = "0".repeat(32);
    let answer = start(&fixture, &[&full, &drains, &gone, &away, &pool, &never], json!({})).await.unwrap();
    assert_eq!(answer["tasks"], json!([]));
    assert_eq!(reasons(&answer), ["RESOURCE:PORTS", "INACTIVE", "INACTIVE", "AGENT", "MISSING", "MISSING"]);
    let last = answer["failures"][5]["arn"].as_str().unwrap();
    assert_eq!(last, format!("arn:aws:ecs:us-east-1:000000000000:container-instance/default/{never}"));
}

#[tokio::test]
async fn the_tasks_of_one_call_know_of_each_other() {
    let fixture = Fixture::new().await;
    for (container, reason) in
        [(json!({"memory": 5000}), "RESOURCE:MEMORY"), (json!({"cpu": 3000}), "RESOURCE:CPU")]
    {
        register(&fixture, container).await;
        let one = machine(&fixture).await;
        let answer = start(&fixture, &[&one, &one], json!({})).await.unwrap();
        assert_eq!((answer["tasks"].as_array().unwrap().len(), reasons(&answer)), (1, vec![reason]));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_call_is_an_error() {
    let fixture = Fixture::new().await;
    register(&fixture, json!({})).await;
    let one = machine(&fixture).await;
    let eleven: Vec<&str> = vec![&one; 11];
    for (instances, more, code) in [
        (vec![], json!({}), "InvalidParameterException"),
        (eleven, json!({}), "InvalidParameterException"),
        (vec!["x"], json!({}), "InvalidParameterException"),
        (vec![&*one], json!({"taskDefinition": "none"}), "ClientException"),
        (vec![&*one], json!({"cluster": "none"}), "ClusterNotFoundException"),
        (vec![&*one], json!({"startedBy": "s".repeat(37)}), "InvalidParameterException"),
        (vec![&*one], json!({"group": "service:x"}), "InvalidParameterException"),
        (vec![&*one], json!({"propagateTags": "SERVICE"}), "InvalidParameterException"),
        (vec![&*one], json!({"volumeConfigurations": [{"name": "v"}]}), "UnsupportedFeatureException"),
        (
            vec![&*one],
            json!({"overrides": {"containerOverrides": [{"name": "none"}]}}),
            "InvalidParameterException",
        ),
        (
            vec![&*one],
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}),
            "InvalidParameterException",
        ),
    ] {
        let error = start(&fixture, &instances, more.clone()).await.expect_err(&more.to_string());
        assert_eq!(error.code, code, "{more}: {error}");
    }
    assert_eq!(fixture.app.world().task_count(), 0);
}
