use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::keyring::NoRoles;
use crate::testing::Fixture;

const ALLOWS: &str = r#"{"Statement": {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}}"#;

/// The account's role `web`.
#[derive(Debug)]
struct Web;

impl RolePolicies for Web {
    fn find(&self, account: &str, name: &str) -> Option<Arc<Policy>> {
        let policy = Policy::parse(ALLOWS, PolicyKind::Identity).unwrap();
        (account == "000000000000" && name == "web").then(|| Arc::new(policy))
    }
}

#[test]
fn an_id_is_read_as_it_was_written_and_no_other_is() {
    let claim = Claim { role: RoleType::TaskExecution, task: TaskId(0xabc), expires: 1_800_000_000 };
    let id = claim.id();
    assert!(id.starts_with("ASIA") && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(Claim::read(&id), Some(claim));
    for other in [
        id.to_lowercase(),
        id.replace("ASIA", "AKIA"),
        id.replacen("01", "02", 1),
        format!("{id}0"),
        id[..45].to_owned(),
        id.replacen("ABC", "+BC", 1),
        "ASIAÜ".into(),
        String::new(),
    ] {
        assert_eq!(Claim::read(&other), None, "{other}");
    }
}

#[test]
fn a_task_s_credentials_change_and_their_id_does_not() {
    let keys = TaskKeys::new(b"a", Arc::new(NoRoles));
    let issue = |task: u128, role, now_ms| keys.issue(TaskId(task), role, "arn:r", now_ms);
    let first = issue(1, RoleType::TaskApplication, 0);
    let later = issue(1, RoleType::TaskApplication, 60_000);
    assert_eq!(first.credentials_id, later.credentials_id);
    assert_ne!(first.secret_access_key, later.secret_access_key);
    assert_ne!(first.session_token, later.session_token);
    assert_eq!(first.expiration, "1970-01-01T06:00:00Z");
    for other in [issue(2, RoleType::TaskApplication, 0), issue(1, RoleType::TaskExecution, 0)] {
        assert_ne!(other.credentials_id, first.credentials_id);
        assert_ne!(other.access_key_id, first.access_key_id);
    }
    let elsewhere = TaskKeys::new(b"b", Arc::new(NoRoles));
    let foreign = elsewhere.issue(TaskId(1), RoleType::TaskApplication, "arn:r", 0);
    assert_ne!(foreign.secret_access_key, first.secret_access_key, "of another server");
}

#[tokio::test]
async fn a_key_is_the_task_s_as_long_as_it_lives() {
    let fixture = Fixture::new().await;
    let home = model::Home::Cluster(fixture.cluster("default"));
    fixture.instance(home, &[("com.amazonaws.ecs.capability.task-iam-role", None)]).await;
    let role = |name: &str| format!("arn:aws:iam::000000000000:role/service/{name}");
    fixture
        .json(
            "RegisterTaskDefinition",
            json!({
                "family": "web", "taskRoleArn": role("web"), "executionRoleArn": role("exec"),
                "containerDefinitions": [{"name": "app", "image": "a", "memory": 64}],
            }),
        )
        .await
        .unwrap();
    let run = async |overrides| {
        let asked = json!({"taskDefinition": "web", "launchType": "EXTERNAL", "overrides": overrides});
        let answer = fixture.json("RunTask", asked).await.unwrap();
        let arn = answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
        arn.rsplit('/').next().unwrap().parse::<TaskId>().unwrap()
    };
    let task = run(json!({})).await;
    let keys = TaskKeys::new(b"a", Arc::new(Web));
    let now_ms = fixture.app.now_ms();
    let find = |task, role| {
        let issued = keys.issue(task, role, "arn:r", now_ms);
        let found = keys.find(&fixture.app.world(), &issued.access_key_id)?;
        assert_eq!(found.credentials.secret_access_key, issued.secret_access_key);
        assert_eq!(found.credentials.session_token, Some(issued.session_token));
        assert_eq!(found.expires_at_ms, Some(now_ms + LIFETIME_MS));
        Some(found.principal)
    };
    let application = find(task, RoleType::TaskApplication).unwrap();
    assert_eq!(application.arn(), format!("arn:aws:sts::000000000000:assumed-role/web/{task}"));
    assert!(matches!(application.kind, Kind::Role { policy: Some(_), .. }));
    // Nobody has defined it: it has what AWS's own policy for execution roles allows.
    let execution = find(task, RoleType::TaskExecution).unwrap();
    let Kind::Role { name, policy: Some(policy), .. } = execution.kind else {
        panic!("a role with a policy")
    };
    assert_eq!((name.as_str(), Some(policy)), ("exec", usual()));

    let undefined = run(json!({"taskRoleArn": role("other")})).await;
    let principal = find(undefined, RoleType::TaskApplication).unwrap();
    assert!(matches!(principal.kind, Kind::Role { policy: None, .. }), "it may do nothing");
    let foreign = run(json!({"taskRoleArn": "arn:aws:iam::111111111111:role/web"})).await;
    let principal = find(foreign, RoleType::TaskApplication).unwrap();
    assert!(matches!(principal.kind, Kind::Role { policy: None, .. }), "another account's role of that name");

    assert!(find(TaskId(7), RoleType::TaskApplication).is_none(), "no such task");
    fixture.json("StopTask", json!({"task": task.to_string()})).await.unwrap();
    let report = model::command::TaskReport {
        status: Some(model::command::ReportedStatus::Stopped),
        ..Default::default()
    };
    let cluster = fixture.cluster("default");
    fixture.submit(model::Command::ReportTask { cluster, task, report }).await;
    assert!(find(task, RoleType::TaskApplication).is_none(), "it is over");
}
