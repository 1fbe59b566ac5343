use model::{Command, Home, InstanceId};
use serde_json::{Value, json};

use crate::testing::Fixture;

async fn machine(fixture: &Fixture) -> String {
    fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await.to_string()
}

async fn update(fixture: &Fixture, instances: &[&str], status: &str) -> Result<Value, wire::Error> {
    let body = json!({"containerInstances": instances, "status": status});
    fixture.json("UpdateContainerInstancesState", body).await
}

async fn listed(fixture: &Fixture, status: &str) -> usize {
    let answer = fixture.json("ListContainerInstances", json!({"status": status})).await.unwrap();
    answer["containerInstanceArns"].as_array().unwrap().len()
}

#[tokio::test]
async fn draining_and_back() {
    let fixture = Fixture::new().await;
    let (one, two) = (machine(&fixture).await, machine(&fixture).await);
    let answer = update(&fixture, &[&one, &two], "DRAINING").await.unwrap();
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(answer["containerInstances"][1]["status"], json!("DRAINING"));
    update(&fixture, &[&one], "DRAINING").await.unwrap();
    assert_eq!((listed(&fixture, "DRAINING").await, listed(&fixture, "ACTIVE").await), (2, 0));
    update(&fixture, &[&one], "ACTIVE").await.unwrap();
    assert_eq!((listed(&fixture, "DRAINING").await, listed(&fixture, "ACTIVE").await), (1, 1));
}

#[tokio::test]
async fn no_task_is_placed_on_an_instance_that_drains() {
    let fixture = Fixture::new().await;
    let containers = json!([{"name": "app", "image": "nginx", "memory": 64}]);
    let request = json!({"family": "web", "containerDefinitions": containers});
    fixture.json("RegisterTaskDefinition", request).await.unwrap();
    let one = machine(&fixture).await;
    let run = json!({"taskDefinition": "web", "launchType": "EC2"});
    let kept = fixture.json("RunTask", run.clone()).await.unwrap();
    update(&fixture, &[&one], "DRAINING").await.unwrap();
    let refused = fixture.json("RunTask", run).await.unwrap();
    assert_eq!((&refused["tasks"], refused["failures"].as_array().unwrap().len()), (&json!([]), 1));
    let described = json!({"tasks": [kept["tasks"][0]["taskArn"]]});
    let task = fixture.json("DescribeTasks", described).await.unwrap();
    assert_eq!(task["tasks"][0]["desiredStatus"], json!("RUNNING"), "a task of no service stays");
}

#[tokio::test]
async fn failures_and_errors() {
    let fixture = Fixture::new().await;
    let one = machine(&fixture).await;
    let id: InstanceId = one.parse().unwrap();
    fixture.submit(Command::DeregisterInstance { id, force: false }).await;
    let answer = update(&fixture, &[&one, &"0".repeat(32)], "DRAINING").await.unwrap();
    assert_eq!(answer["failures"][0]["reason"], json!("INACTIVE"));
    assert_eq!(answer["failures"][1]["reason"], json!("MISSING"));
    let two = machine(&fixture).await;
    for (instances, status) in [
        (vec![], "DRAINING"),
        (vec![&*two; 11], "DRAINING"),
        (vec!["x"], "DRAINING"),
        (vec![&*two], "REGISTERING"),
        (vec![&*two], "DEREGISTERING"),
    ] {
        let error = update(&fixture, &instances, status).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{status}: {error}");
    }
}
