use model::{Command, Home, StopCode};
use plan::reconcile;
use serde_json::{Value, json};

use crate::testing::Fixture;

/// A service that has two tasks and is to have as many; and a task of no service.
async fn several() -> (Fixture, Vec<String>, String) {
    let fixture = Fixture::new().await;
    fixture.instance(Home::Pool, &[]).await;
    let definition = json!({
        "family": "web", "cpu": "256", "memory": "512", "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [{"name": "app", "image": "nginx"}],
    });
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    let network = json!({"awsvpcConfiguration": {"subnets": ["s"]}});
    let service = json!({
        "serviceName": "web", "taskDefinition": "web", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    fixture.json("CreateService", service).await.unwrap();
    let key = fixture.cluster("default").service("web");
    let plan = reconcile::service(&fixture.app.world(), &key, fixture.app.now_ms(), 1).unwrap();
    fixture.submit(Command::ServiceStep(Box::new(plan.step.unwrap()))).await;
    let tasks = fixture.app.world().live_tasks_of(&key).map(|task| task.id.to_string()).collect();
    let run = json!({"taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": network});
    let alone = fixture.json("RunTask", run).await.unwrap()["tasks"][0]["taskArn"].clone();
    (fixture, tasks, alone.as_str().unwrap().to_owned())
}

async fn update(fixture: &Fixture, tasks: &[&str], more: Value) -> Result<Value, wire::Error> {
    let mut body = json!({"cluster": "default", "tasks": tasks, "protectionEnabled": true});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fixture.json("UpdateTaskProtection", body).await
}

async fn get(fixture: &Fixture, tasks: &[&str]) -> Value {
    fixture.json("GetTaskProtection", json!({"cluster": "default", "tasks": tasks})).await.unwrap()
}

fn reasons(answer: &Value) -> Vec<&str> {
    answer["failures"].as_array().unwrap().iter().map(|failure| failure["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn protection_begins_is_prolonged_ends_and_expires() {
    let (fixture, tasks, _) = several().await;
    let one: &[&str] = &[&tasks[0]];
    let now_s = fixture.app.now_ms() / 1000;
    let answer = update(&fixture, one, json!({})).await.unwrap();
    let protected = &answer["protectedTasks"][0];
    assert_eq!(protected["protectionEnabled"], json!(true));
    assert_eq!(protected["expirationDate"].as_f64().unwrap() as u64, now_s + 120 * 60);
    let answer = update(&fixture, one, json!({"expiresInMinutes": 1})).await.unwrap();
    assert_eq!(answer["protectedTasks"][0]["expirationDate"].as_f64().unwrap() as u64, now_s + 60);
    assert_eq!(get(&fixture, one).await["protectedTasks"], answer["protectedTasks"]);
    fixture.clock.advance_ms(60_000);
    let over = get(&fixture, one).await["protectedTasks"][0].clone();
    assert_eq!((&over["protectionEnabled"], over.get("expirationDate")), (&json!(false), None));
    update(&fixture, one, json!({})).await.unwrap();
    let answer = update(&fixture, one, json!({"protectionEnabled": false})).await.unwrap();
    assert_eq!(answer["protectedTasks"][0]["protectionEnabled"], json!(false));
    assert_eq!(reasons(&answer), Vec::<&str>::new());
}

#[tokio::test]
async fn failures_have_ecs_s_reasons() {
    let (fixture, tasks, alone) = several().await;
    let never = "0".repeat(32);
    let asked = [&*alone, &never];
    assert_eq!(reasons(&update(&fixture, &asked, json!({})).await.unwrap()), ["TASK_NOT_VALID", "MISSING"]);
    assert_eq!(reasons(&get(&fixture, &asked).await), ["TASK_NOT_VALID", "MISSING"]);
    fixture.json("UpdateService", json!({"service": "web", "desiredCount": 1})).await.unwrap();
    let answer = update(&fixture, &[&tasks[0], &tasks[1]], json!({})).await.unwrap();
    assert_eq!(reasons(&answer), ["DEPLOYMENT_BLOCKED"]);
    assert_eq!(answer["protectedTasks"].as_array().unwrap().len(), 1);
    let stop = Command::StopTask {
        cluster: fixture.cluster("default"),
        task: tasks[0].parse().unwrap(),
        code: StopCode::UserInitiated,
        reason: "enough".into(),
    };
    fixture.submit(stop).await;
    assert_eq!(reasons(&update(&fixture, &[&tasks[0]], json!({})).await.unwrap()), ["TASK_NOT_VALID"]);
    assert_eq!(get(&fixture, &[&tasks[0]]).await["protectedTasks"][0]["protectionEnabled"], json!(false));
}

#[tokio::test]
async fn what_is_wrong_with_the_call_is_an_error() {
    let (fixture, tasks, _) = several().await;
    let one: &[&str] = &[&tasks[0]];
    for (tasks, more, code) in [
        (one, json!({"expiresInMinutes": 0}), "InvalidParameterException"),
        (one, json!({"expiresInMinutes": 2881}), "InvalidParameterException"),
        (&[][..], json!({}), "InvalidParameterException"),
        (&[&*tasks[0]; 11][..], json!({}), "InvalidParameterException"),
        (&["x"][..], json!({}), "InvalidParameterException"),
        (one, json!({"cluster": "none"}), "ClusterNotFoundException"),
    ] {
        let error = update(&fixture, tasks, more.clone()).await.expect_err(&more.to_string());
        assert_eq!(error.code, code, "{more}: {error}");
    }
    let error = fixture.json("GetTaskProtection", json!({"cluster": "default"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}
