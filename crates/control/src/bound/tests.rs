use model::command::Join;
use model::{Command, JoinToken};
use serde_json::{Value, json};

use super::*;
use crate::testing::Fixture;

const HOME: &str = "us-east-1:000000000000";

async fn machine(fixture: &Fixture) -> InstanceId {
    const CAN: [&str; 6] = [
        "docker-remote-api.1.17",
        "docker-remote-api.1.18",
        "docker-remote-api.1.19",
        "docker-remote-api.1.21",
        "ecr-auth",
        "logging-driver.awslogs",
    ];
    let names = CAN.map(|name| format!("com.amazonaws.ecs.capability.{name}"));
    let attributes: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    fixture.instance(Home::Cluster(fixture.cluster("default")), &attributes).await
}

fn own(fixture: &Fixture, instance: InstanceId) -> Own {
    Own { app: fixture.app.clone(), cluster: fixture.cluster("default"), instance }
}

/// A task on the machine, of two images, each with a log.
async fn task(fixture: &Fixture, on: InstanceId) -> Value {
    let log = |options: Value| json!({"logDriver": "awslogs", "options": options});
    let prefixed =
        json!({"awslogs-group": "/web", "awslogs-stream-prefix": "p", "awslogs-region": "us-east-1"});
    let elsewhere = json!({"awslogs-group": "/side", "awslogs-region": "eu-west-1"});
    let request = json!({"family": "web", "containerDefinitions": [
        {"name": "app", "image": "hub.lan:4580/team/app:v1", "memory": 64, "logConfiguration": log(prefixed)},
        {"name": "side", "image": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/side", "memory": 64,
         "logConfiguration": log(elsewhere)},
    ]});
    fixture.json("RegisterTaskDefinition", request).await.unwrap();
    let start = json!({"taskDefinition": "web", "containerInstances": [on.to_string()]});
    fixture.json("StartTask", start).await.unwrap()["tasks"][0].clone()
}

#[tokio::test]
async fn images_and_logs_of_its_own_tasks() {
    let fixture = Fixture::new().await;
    let (one, two) = (machine(&fixture).await, machine(&fixture).await);
    let started = task(&fixture, one).await;
    let arn = started["taskArn"].as_str().unwrap();
    let id = arn.rsplit('/').next().unwrap();
    let world = fixture.app.world();
    let side = world.task(id.parse().unwrap()).unwrap().containers[1].id;
    let pulls = [
        format!("arn:aws:ecr:{HOME}:repository/team/app"),
        "arn:aws:ecr:eu-west-1:000000000000:repository/side".to_owned(),
    ];
    let logs = [
        format!("arn:aws:logs:{HOME}:log-group:/web:log-stream:p/app/{id}"),
        format!("arn:aws:logs:eu-west-1:000000000000:log-group:/side:log-stream:{side}"),
    ];
    let (mine, other) = (own(&fixture, one), own(&fixture, two));
    for repository in &pulls {
        assert!(mine.allows("ecr:GetDownloadUrlForLayer", repository), "{repository}");
        assert!(!mine.allows("ecr:PutImage", repository) && !other.allows("ecr:BatchGetImage", repository));
    }
    for stream in &logs {
        assert!(mine.allows("logs:PutLogEvents", stream), "{stream}");
        assert!(!mine.allows("logs:GetLogEvents", stream) && !other.allows("logs:PutLogEvents", stream));
    }
    assert!(mine.allows("logs:CreateLogGroup", &format!("arn:aws:logs:{HOME}:log-group:/web:log-stream:")));
    for not_its_own in [
        format!("arn:aws:logs:{HOME}:log-group:/side:log-stream:{side}"),
        format!("arn:aws:logs:{HOME}:log-group:/web:log-stream:p/side/{id}"),
        format!("arn:aws:logs:{HOME}:log-group:/other:log-stream:p/app/{id}"),
        format!("arn:aws:logs:{HOME}:log-group:/web:log-stream:"),
        "*".to_owned(),
    ] {
        assert!(!mine.allows("logs:PutLogEvents", &not_its_own), "{not_its_own}");
    }
    assert!(mine.allows("ecs:ListTagsForResource", arn) && !other.allows("ecs:ListTagsForResource", arn));
    // It has stopped: its last lines still come, and nobody pulls for it any more.
    let stopped = json!({"task": arn, "status": "STOPPED"});
    fixture.json("SubmitTaskStateChange", stopped).await.unwrap();
    assert!(mine.allows("logs:PutLogEvents", &logs[0]) && mine.allows("logs:CreateLogStream", &logs[1]));
    assert!(!mine.allows("ecr:BatchGetImage", &pulls[0]));
}

#[tokio::test]
async fn a_key_registers_its_own_instance_and_reports_on_its_own_tasks() {
    let fixture = Fixture::new().await;
    let other = machine(&fixture).await;
    let others = task(&fixture, other).await;
    let token = JoinToken {
        id: "t".into(),
        cluster: fixture.cluster("default"),
        secret_hash: "h".into(),
        created_at_ms: 0,
        expires_at_ms: u64::MAX,
        uses_left: 1,
    };
    fixture.submit(Command::CreateJoinToken(token)).await;
    let id = fixture.app.instance_id();
    let key = fixture.context.access_key_id.as_str();
    let join = Join {
        token: "t".into(),
        secret_hash: "h".into(),
        attempt: "a".into(),
        key: key.into(),
        instance: id,
    };
    fixture.submit(Command::Join(join)).await;
    let register = |input: Value| async {
        let answer = fixture.json("RegisterContainerInstance", input).await.map_err(|e| e.to_string())?;
        Ok::<_, String>(answer["containerInstance"]["containerInstanceArn"].as_str().unwrap().to_owned())
    };
    let arn = register(json!({"clientToken": "x"})).await.unwrap();
    assert!(arn.ends_with(&id.to_string()), "{arn}");
    // Whatever it remembers, it is the same.
    for again in [json!({}), json!({"clientToken": "y"}), json!({"containerInstanceArn": arn})] {
        assert_eq!(register(again).await.unwrap(), arn);
    }
    let theirs = arn.replace(&id.to_string(), &other.to_string());
    let refused = register(json!({"containerInstanceArn": theirs})).await.unwrap_err();
    assert!(refused.starts_with("InvalidParameterException"), "{refused}");
    let report = |task: &Value| json!({"task": task["taskArn"], "status": "RUNNING"});
    let refused = fixture.json("SubmitTaskStateChange", report(&others)).await.unwrap_err().to_string();
    assert!(refused.starts_with("AccessDeniedException"), "{refused}");
    fixture.submit(Command::SetAgentConnected { id, connected: true }).await;
    let world = fixture.app.world();
    assert_eq!(world.task(task_id(&others)).unwrap().last_status, model::TaskStatus::Provisioning);
    assert_eq!(fixture.restarted().app.world().instance_key(key).map(|key| key.instance), Some(id));
}

fn task_id(task: &Value) -> TaskId {
    task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap()
}
