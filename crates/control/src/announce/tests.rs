use std::sync::Mutex;

use model::Command;
use serde_json::json;
use store::{MemoryStore, Store};

use super::*;
use crate::ecs::service::tests::{create, key};
use crate::testing::{Fixture, START_MS};

/// Who listens to some types of events, and only to what one key of the detail says.
#[derive(Debug)]
struct Listener {
    kinds: Vec<&'static str>,
    status: Option<&'static str>,
    asked: Mutex<usize>,
}

impl Audience for Listener {
    fn wants(&self, _: &Scope, source: &str, kind: &str) -> bool {
        source == "aws.ecs" && self.kinds.contains(&kind)
    }

    fn takes(&self, _: &Scope, event: &Value) -> bool {
        *self.asked.lock().unwrap() += 1;
        self.status.is_none_or(|status| event["detail"]["lastStatus"] == status)
    }
}

async fn fixture(
    kinds: &[&'static str],
    status: Option<&'static str>,
) -> (Fixture, Arc<Listener>, MemoryStore) {
    let listener = Arc::new(Listener { kinds: kinds.to_vec(), status, asked: Mutex::default() });
    let store = MemoryStore::new();
    let fixture = Fixture::heard(store.clone(), store.clone(), START_MS, listener.clone());
    crate::drivers::ensure_default_cluster(&fixture.app).await.unwrap();
    (fixture, listener, store)
}

fn told(fixture: &Fixture) -> Vec<Value> {
    let messages = fixture.app.writer.outbox().after(0, usize::MAX);
    messages.iter().map(|(_, message)| serde_json::from_slice(message).unwrap()).collect()
}

async fn run_and_stop(fixture: &Fixture) {
    fixture.instance(Home::Pool, &[]).await;
    let definition = json!({
        "family": "job", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "main", "image": "busybox"}],
    });
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    let run = json!({
        "taskDefinition": "job", "launchType": "FARGATE", "startedBy": "me",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    });
    let ran = fixture.json("RunTask", run).await.unwrap();
    let task = ran["tasks"][0]["taskArn"].as_str().unwrap();
    fixture.json("StopTask", json!({"task": task, "reason": "enough"})).await.unwrap();
}

#[tokio::test]
async fn a_task_is_told_as_it_is_described_and_stays_in_the_outbox() {
    let (fixture, _, store) = fixture(&[TASK], None).await;
    run_and_stop(&fixture).await;
    let told = told(&fixture);
    let statuses: Vec<_> = told.iter().map(|m| m["event"]["detail"]["desiredStatus"].clone()).collect();
    assert_eq!(statuses, ["RUNNING", "STOPPED"]);
    let event = &told[1]["event"];
    let arn = event["resources"][0].as_str().unwrap();
    assert_eq!(told[1]["about"], arn);
    let described = fixture.json("DescribeTasks", json!({"tasks": [arn]})).await.unwrap()["tasks"][0].clone();
    for member in
        ["taskArn", "lastStatus", "version", "stoppedReason", "stopCode", "containers", "startedBy", "group"]
    {
        assert_eq!(event["detail"][member], described[member], "{member}");
    }
    assert_eq!(event["detail"]["createdAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(event["detail"]["attachments"][0]["type"], "eni");
    assert_eq!(
        [&event["source"], &event["detail-type"], &event["time"], &event["account"], &event["region"]],
        ["aws.ecs", TASK, "2026-01-01T00:00:00Z", "000000000000", "us-east-1"]
    );
    assert_eq!(store.range("outbox/").unwrap().len(), 2, "committed with the changes");
    let after = fixture.restarted();
    assert_eq!(self::told(&after), told, "and there after a restart");
}

#[tokio::test]
async fn what_nobody_wants_is_neither_made_nor_stored() {
    let (fixture, listener, store) = fixture(&[SERVICE], None).await;
    run_and_stop(&fixture).await;
    assert_eq!(*listener.asked.lock().unwrap(), 0);
    assert!(store.range("outbox/").unwrap().is_empty());
}

#[tokio::test]
async fn of_what_is_made_only_what_is_wanted_is_stored() {
    let (fixture, listener, store) = fixture(&[TASK], Some("DEACTIVATING")).await;
    run_and_stop(&fixture).await;
    assert!(*listener.asked.lock().unwrap() > 0);
    assert!(store.range("outbox/").unwrap().is_empty());
}

#[tokio::test]
async fn instances_of_clusters_are_told_and_those_of_the_pool_are_not() {
    let (fixture, ..) = fixture(&[INSTANCE], None).await;
    fixture.instance(Home::Pool, &[]).await;
    assert!(told(&fixture).is_empty());
    let id = fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await;
    let told = told(&fixture);
    let detail = &told.last().unwrap()["event"]["detail"];
    assert!(detail["containerInstanceArn"].as_str().unwrap().ends_with(&id.to_string()));
    assert_eq!(detail["status"], "ACTIVE");
    assert_eq!(detail["clusterArn"], "arn:aws:ecs:us-east-1:000000000000:cluster/default");
}

#[tokio::test]
async fn a_service_tells_of_its_deployments() {
    let (fixture, ..) = fixture(&[SERVICE, DEPLOYMENT], None).await;
    define_web(&fixture).await;
    create(&fixture, json!({})).await.unwrap();
    let told = told(&fixture);
    assert_eq!(told.len(), 1);
    let (event, detail) = (&told[0]["event"], &told[0]["event"]["detail"]);
    assert_eq!(event["detail-type"], DEPLOYMENT);
    assert_eq!(detail["eventName"], "SERVICE_DEPLOYMENT_IN_PROGRESS");
    assert_eq!(detail["eventType"], "INFO");
    let id = detail["deploymentId"].as_str().unwrap();
    assert_eq!(detail["reason"], format!("ECS deployment {id} in progress."));
}

async fn define_web(fixture: &Fixture) {
    let definition = json!({
        "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "web", "image": "busybox"}],
    });
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
}

#[tokio::test]
async fn a_short_life_in_one_report_is_told_as_running_first() {
    let (fixture, ..) = fixture(&[TASK], None).await;
    fixture.instance(Home::Pool, &[]).await;
    define_web(&fixture).await;
    let run = json!({
        "taskDefinition": "web", "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    });
    let ran = fixture.json("RunTask", run).await.unwrap();
    let task = ran["tasks"][0]["taskArn"].as_str().unwrap();
    let of_web =
        |status: &str| json!({"containerName": "web", "status": status, "runtimeId": "r", "exitCode": 3});
    let report = json!({"task": task, "status": "STOPPED", "containers": [of_web("STOPPED")]});
    fixture.json("SubmitTaskStateChange", report.clone()).await.unwrap();
    let told = told(&fixture);
    let details: Vec<&Value> = told.iter().map(|message| &message["event"]["detail"]).collect();
    let statuses: Vec<&str> = details.iter().filter_map(|detail| detail["lastStatus"].as_str()).collect();
    assert_eq!(statuses, ["PROVISIONING", "RUNNING", "STOPPED"]);
    let (running, stopped) = (details[1], details[2]);
    assert_eq!(running["desiredStatus"], "RUNNING");
    assert_eq!(running["containers"][0]["lastStatus"], "RUNNING");
    assert_eq!(running["containers"][0]["exitCode"], Value::Null);
    assert!(running["startedAt"].is_string() && running["stoppedAt"].is_null());
    assert_eq!(stopped["containers"][0]["exitCode"], 3);
    assert!(running["version"].as_u64() < stopped["version"].as_u64());
    // Once more, it says nothing new.
    fixture.json("SubmitTaskStateChange", report).await.unwrap();
    assert_eq!(self::told(&fixture).len(), 3);
}

#[tokio::test]
async fn hooks_are_told() {
    let (fixture, ..) = fixture(&[HOOK], None).await;
    define_web(&fixture).await;
    let stages = json!(["PRE_SCALE_UP"]);
    let pause = json!({"targetType": "PAUSE", "lifecycleStages": stages,
        "timeoutConfiguration": {"timeoutInMinutes": 1, "action": "CONTINUE"}});
    let call = json!({"hookTargetArn": "http://127.0.0.1:9/", "lifecycleStages": stages});
    let configuration =
        json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [pause, call]});
    let service = create(&fixture, json!({"deploymentConfiguration": configuration})).await.unwrap();
    let key = key(&fixture, "web");
    let step = async || {
        let plan = plan::reconcile::service(&fixture.app.world(), &key, fixture.app.now_ms(), 1);
        fixture.submit(Command::ServiceStep(plan.unwrap().step.unwrap().into())).await;
    };
    step().await;
    let runs = fixture.app.world().service(&key).unwrap().primary().unwrap().lifecycle.clone().unwrap().runs;
    let answer = Command::AnswerHook {
        service: key.clone(),
        run: runs[1].id.clone(),
        answer: model::command::HookAnswer::Failed,
    };
    fixture.clock.advance_ms(60_000);
    step().await;
    fixture.submit(answer).await;
    let told = told(&fixture);
    let names: Vec<String> = told
        .iter()
        .map(|message| {
            let detail = &message["event"]["detail"];
            format!("{} {} {}", detail["eventType"], detail["eventName"], detail["hookType"]).replace('"', "")
        })
        .collect();
    let expected = [
        "INFO HOOK_AWAITING_ACTION PAUSE",
        "INFO HOOK_IN_PROGRESS AWS_LAMBDA",
        "ERROR HOOK_TIMED_OUT PAUSE",
        "ERROR HOOK_FAILED AWS_LAMBDA",
    ];
    assert_eq!(names, expected);
    let (event, detail) = (&told[0]["event"], &told[0]["event"]["detail"]);
    assert_eq!(event["resources"][0], service["currentServiceDeployment"]);
    assert_eq!(detail["serviceDeploymentArn"], service["currentServiceDeployment"]);
    assert_eq!((&detail["lifecycleStage"], &detail["serviceArn"]), (&stages[0], &service["serviceArn"]));
    assert_eq!(
        (&detail["hookId"], &detail["expiresAt"]),
        (&json!(runs[0].id), &json!("2026-01-01T00:01:00Z"))
    );
}

/// A service with some messages of its scheduler, newest first.
fn service(messages: &[&str]) -> Service {
    let event = |(at, message): (usize, &&str)| model::ServiceEvent {
        id: model::Uuid((messages.len() - at) as u128),
        at_ms: START_MS,
        message: (*message).into(),
    };
    let mut service: Service = serde_json::from_value(json!({
        "key": {"cluster": {"scope": {"account": "1", "region": "r"}, "name": "c"}, "name": "web"},
        "status": "ACTIVE", "desired_count": 1, "scheduling": "REPLICA", "controller": "ECS",
        "minimum_healthy_percent": 100, "maximum_percent": 200, "deployments": [], "events": [],
        "version": 1, "created_at_ms": 0, "propagate_tags": "NONE",
    }))
    .unwrap();
    service.events = messages.iter().enumerate().map(event).collect();
    service
}

#[test]
fn the_schedulers_words_are_its_actions() {
    let names = |before: Option<&Service>, after: &Service| -> Vec<String> {
        let actions = super::service::actions(before, after);
        actions
            .iter()
            .map(|a| format!("{} {} {}", a["eventType"], a["eventName"], a["reason"]).replace('"', ""))
            .collect()
    };
    let before = service(&["(service web) has started 1 tasks: (task 1)."]);
    let after = service(&[
        "(service web) has reached a steady state.",
        "(service web) is unable to consistently start tasks successfully. For more information, see …",
        "(service web) was unable to place a task because no container instance met all of its requirements. The \
         closest matching (container-instance 1) has insufficient memory available. For more information, see …",
        "(service web) was unable to place a task. Reason: RESOURCE:FARGATE. (of …)",
        "(service web) has started 1 tasks: (task 1).",
    ]);
    let expected = [
        "ERROR SERVICE_TASK_PLACEMENT_FAILURE RESOURCE:FARGATE",
        "ERROR SERVICE_TASK_PLACEMENT_FAILURE RESOURCE:MEMORY",
        "WARN SERVICE_TASK_START_IMPAIRED null",
        "INFO SERVICE_STEADY_STATE null",
    ];
    assert_eq!(names(Some(&before), &after), expected);
    assert_eq!(names(None, &after), expected);
    assert!(names(Some(&after), &after).is_empty());
}
