//! The operations through the dispatch table, over a store in memory. No scheduler runs: what the API
//! promises without one. `drivers/services/tests.rs` has the rest.

mod create;
mod daemon;
mod describe;
mod history;
mod stages;
mod task_sets;
mod update;

use model::command::NewDefinition;
use model::{
    Command, ContainerShape, Document, Family, LaunchType, NetworkMode, RuntimePlatform, ServiceKey, Tag,
    Tags,
};
use serde_json::{Value, json};
use wire::Error;

use crate::testing::Fixture;

/// Registers a definition: 256 CPU units, 512 MiB, fit for EC2 and FARGATE where it is `awsvpc`.
pub(crate) async fn define(fixture: &Fixture, family: &str, network_mode: NetworkMode) {
    let compatibilities = match network_mode {
        NetworkMode::Awsvpc => vec![LaunchType::Ec2, LaunchType::Fargate],
        _ => vec![LaunchType::External, LaunchType::Ec2],
    };
    let definition = NewDefinition {
        scope: crate::ecs::reference::scope(&fixture.context),
        family: Family::from(family),
        cpu: Some(256),
        memory_mib: Some(512),
        network_mode,
        compatibilities,
        requires_compatibilities: Vec::new(),
        requires_attributes: Vec::new(),
        member_of: Vec::new(),
        platform: RuntimePlatform::default(),
        containers: vec![ContainerShape {
            name: "web".into(),
            image: "web:1".into(),
            essential: true,
            cpu: 0,
            memory_mib: None,
            memory_reservation_mib: None,
            host_ports: Vec::new(),
            gpus: 0,
            start_timeout_s: None,
            stop_timeout_s: None,
            health_checked: false,
        }],
        ephemeral_storage_gib: None,
        document: Document::of(&json!({"containerDefinitions": [{"name": "web", "image": "web:1"}]}))
            .unwrap(),
        tags: Tags::new([Tag { key: "from".into(), value: Some("definition".into()) }]),
        registered_by: None,
    };
    fixture.submit(Command::RegisterTaskDefinition(Box::new(definition))).await;
}

/// A good FARGATE service with `members` put in; `null` takes a member out.
pub(crate) fn request(members: Value) -> Value {
    let mut request = json!({
        "serviceName": "web",
        "taskDefinition": "web",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    });
    for (name, value) in members.as_object().expect("an object") {
        match value {
            Value::Null => request.as_object_mut().unwrap().remove(name),
            value => request.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    request
}

pub(crate) async fn create(fixture: &Fixture, members: Value) -> Result<Value, Error> {
    Ok(fixture.json("CreateService", request(members)).await?["service"].take())
}

pub(crate) async fn update(fixture: &Fixture, members: Value) -> Result<Value, Error> {
    let mut request = json!({"service": "web"});
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Ok(fixture.json("UpdateService", request).await?["service"].take())
}

pub(crate) async fn describe(fixture: &Fixture, name: &str) -> Value {
    let answer = fixture.json("DescribeServices", json!({"services": [name]})).await.unwrap();
    answer["services"][0].clone()
}

pub(crate) fn key(fixture: &Fixture, name: &str) -> ServiceKey {
    fixture.cluster("default").service(name)
}

/// A fixture with the definition `web` in two revisions.
async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    define(&fixture, "web", NetworkMode::Awsvpc).await;
    define(&fixture, "web", NetworkMode::Awsvpc).await;
    fixture
}

fn refusal(error: &Error) -> String {
    error.to_string()
}
