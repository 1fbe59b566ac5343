use model::Scope;
use serde_json::{Value, json};

use super::*;
use crate::ecs::service::tests::{create, describe, key, update};
use crate::testing::{Fixture, START_MS};

const HERE: &str = "127.0.0.1:4580";
const ECR: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
const DIGEST: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000d1";
const OTHER: &str = "sha256:00000000000000000000000000000000000000000000000000000000000000d2";

fn own(fixture: &Fixture) -> OwnRegistry {
    OwnRegistry::of(&fixture.app.config)
}

fn push(tag: &str) -> Push {
    Push {
        number: 1,
        scope: Scope::new("000000000000", "us-east-1"),
        repository: "team/app".to_owned(),
        tag: tag.to_owned(),
        digest: DIGEST.to_owned(),
        at_ms: START_MS + 1,
        is_image: true,
    }
}

/// The service `web`, whose task has a container with `image` and one from elsewhere.
async fn serving(image: &str, tags: Value) -> Fixture {
    let fixture = Fixture::new().await;
    let definition = json!({
        "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
        "cpu": "256", "memory": "512", "tags": [{"key": "team", "value": "a"}],
        "containerDefinitions": [
            {"name": "web", "image": image, "portMappings": [{"containerPort": 80}]},
            {"name": "side", "image": "docker.io/library/side:1", "essential": false},
        ],
    });
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    create(&fixture, json!({"tags": tags})).await.unwrap();
    fixture
}

fn wanted(fixture: &Fixture, push: &Push) -> Option<Box<PushDeployment>> {
    let world = fixture.app.world();
    let service = world.service(&key(fixture, "web")).unwrap();
    match command(&world, &own(fixture), push, service, START_MS + 5, 7).unwrap() {
        Some(Command::DeployPush(wanted)) => Some(wanted),
        None => None,
        other => unreachable!("{other:?}"),
    }
}

fn image_for(fixture: &Fixture, push: &Push) -> Option<String> {
    wanted(fixture, push).map(|wanted| wanted.definition.containers[0].image.to_string())
}

#[tokio::test]
async fn a_service_follows_the_tag_that_its_definition_names() {
    let pinned = |front: &str| Some(format!("{front}@{DIGEST}"));
    for (image, tag, to) in [
        (format!("{HERE}/team/app:v1"), "v1", pinned(&format!("{HERE}/team/app:v1"))),
        ("localhost:4580/team/app".to_owned(), "latest", pinned("localhost:4580/team/app:latest")),
        (format!("{ECR}/team/app:v1"), "v1", pinned(&format!("{ECR}/team/app:v1"))),
        (format!("{HERE}/team/app:v1@{OTHER}"), "v1", pinned(&format!("{HERE}/team/app:v1"))),
        // It runs that already; it names another tag, or only a digest; it is another repository, registry,
        // account or region.
        (format!("{HERE}/team/app:v1@{DIGEST}"), "v1", None),
        (format!("{HERE}/team/app:v1"), "v2", None),
        (format!("{HERE}/team/app@{OTHER}"), "latest", None),
        (format!("{HERE}/team/app2:v1"), "v1", None),
        ("127.0.0.1:4581/team/app:v1".to_owned(), "v1", None),
        ("team/app:v1".to_owned(), "v1", None),
        ("000000000001.dkr.ecr.us-east-1.amazonaws.com/team/app:v1".to_owned(), "v1", None),
        ("000000000000.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1".to_owned(), "v1", None),
    ] {
        let fixture = serving(&image, Value::Null).await;
        assert_eq!(image_for(&fixture, &push(tag)), to, "{image} {tag}");
    }
}

#[tokio::test]
async fn or_the_tags_of_its_pattern() {
    for (pattern, image, tag, follows) in [
        ("v+", format!("{HERE}/team/app:v1"), "v2", true),
        ("v+", format!("{HERE}/team/app@{OTHER}"), "v2", true),
        ("v+", format!("{HERE}/team/app:latest"), "latest", false),
        ("+-rc+", format!("{HERE}/team/app:latest"), "1.0-rc2", true),
        ("", format!("{HERE}/team/app:latest"), "latest", false),
        ("+", format!("{HERE}/team/other:latest"), "latest", false),
    ] {
        let fixture = serving(&image, json!([{"key": FOLLOWS, "value": pattern}])).await;
        let to = follows.then(|| format!("{HERE}/team/app:{tag}@{DIGEST}"));
        assert_eq!(image_for(&fixture, &push(tag)), to, "{pattern} {image} {tag}");
    }
}

#[tokio::test]
async fn not_what_is_no_image_nor_what_its_tasks_have_found() {
    let fixture = serving(&format!("{HERE}/team/app:v1"), Value::Null).await;
    assert_eq!(image_for(&fixture, &Push { is_image: false, ..push("v1") }), None, "a signature");
    assert_eq!(
        image_for(&fixture, &Push { at_ms: START_MS, ..push("v1") }),
        None,
        "pushed before the service"
    );
    fixture.json("DeleteService", json!({"service": "web", "force": true})).await.unwrap();
    assert_eq!(image_for(&fixture, &push("v1")), None, "deleted");
}

#[tokio::test]
async fn the_revision_the_deployment_and_the_event_come_together_and_once() {
    let fixture = serving(&format!("{HERE}/team/app:v1"), Value::Null).await;
    let first = wanted(&fixture, &push("v1")).unwrap();
    fixture.submit(Command::DeployPush(first.clone())).await;

    let service = describe(&fixture, "web").await;
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("task-definition/web:2"), "{service}");
    assert_eq!(service["deployments"].as_array().unwrap().len(), 2);
    let event = format!("(service web) is deployed as web:2 because team/app:v1 was pushed as {DIGEST}.");
    assert_eq!(service["events"][0]["message"], event);
    let definition = fixture
        .json("DescribeTaskDefinition", json!({"taskDefinition": "web", "include": ["TAGS"]}))
        .await
        .unwrap();
    let containers = &definition["taskDefinition"]["containerDefinitions"];
    assert_eq!(containers[0]["image"], format!("{HERE}/team/app:v1@{DIGEST}"));
    assert_eq!(containers[0]["portMappings"][0]["containerPort"], 80);
    assert_eq!(containers[1]["image"], "docker.io/library/side:1");
    assert_eq!(definition["tags"], json!([{"key": "team", "value": "a"}]));

    // The same push again, after a crash: by the plan, and by the command itself.
    assert_eq!(wanted(&fixture, &push("v1")), None);
    let before = fixture.app.world();
    fixture.submit(Command::DeployPush(first)).await;
    let after = fixture.app.world();
    assert_eq!(after.service(&key(&fixture, "web")), before.service(&key(&fixture, "web")));
    assert!(after.definition(&fixture.app.config.home().definition("web", 3)).is_none());

    // A person goes back; the push isn't repeated, the next one is followed.
    update(&fixture, json!({"taskDefinition": "web:1"})).await.unwrap();
    assert_eq!(wanted(&fixture, &push("v1")), None);
    let next = Push { number: 2, digest: OTHER.to_owned(), at_ms: START_MS + 10, ..push("v1") };
    assert_eq!(image_for(&fixture, &next), Some(format!("{HERE}/team/app:v1@{OTHER}")));
    // The service and what it remembers are there after a restart.
    let again = fixture.restarted();
    assert_eq!(again.app.world().service(&key(&again, "web")).unwrap().push, 1);
}

#[tokio::test]
async fn a_plan_of_another_world_is_made_anew() {
    let fixture = serving(&format!("{HERE}/team/app:v1"), Value::Null).await;
    let planned = wanted(&fixture, &push("v1")).unwrap();
    let definition =
        json!({"family": "web", "containerDefinitions": [{"name": "a", "image": "a", "memory": 4}]});
    fixture.json("RegisterTaskDefinition", definition).await.unwrap();
    let refused = fixture.app.submit(Command::DeployPush(planned)).await.unwrap_err();
    assert!(refused.to_string().contains("next revision"), "{refused}");
    let planned = wanted(&fixture, &push("v1")).unwrap();
    update(&fixture, json!({"desiredCount": 3})).await.unwrap();
    let refused = fixture.app.submit(Command::DeployPush(planned)).await.unwrap_err();
    assert!(refused.to_string().contains("version"), "{refused}");
}
