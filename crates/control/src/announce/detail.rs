//! A task and a container instance as they are described, but for how times are written.

use model::{ContainerInstance, Home, Scope, Task, World};
use serde_json::Value;
use wire::Timestamp;
use wire::ecs::shapes;
use wire::shape::{Kind, Shape};

use crate::arn;
use crate::ecs::translate;

pub(super) fn task(world: &World, task: &Task, home: &Scope, now_ms: u64) -> Value {
    let described = translate::task::to_wire(world, task, home, &[]);
    let mut detail = written(&shapes::TASK, serde_json::to_value(described).unwrap_or_default());
    if let Some(members) = detail.as_object_mut() {
        members.remove("tags");
        members.remove("inferenceAccelerators");
        members.insert("updatedAt".to_owned(), milliseconds(now_ms).into());
    }
    for attachment in detail["attachments"].as_array_mut().into_iter().flatten() {
        // Events have the older name of it.
        if attachment["type"] == "ElasticNetworkInterface" {
            attachment["type"] = "eni".into();
        }
    }
    detail
}

pub(super) fn instance(world: &World, instance: &ContainerInstance, home: &Scope, now_ms: u64) -> Value {
    let described = translate::instance::to_wire(world, instance, home, &[]);
    let described = serde_json::to_value(described).unwrap_or_default();
    let mut detail = written(&shapes::CONTAINER_INSTANCE, described);
    if let Some(members) = detail.as_object_mut() {
        members.remove("tags");
        if let Home::Cluster(cluster) = &instance.home {
            members.insert("clusterArn".to_owned(), arn::cluster(cluster).into());
        }
        members.insert("updatedAt".to_owned(), milliseconds(now_ms).into());
    }
    detail
}

/// The same with its times as texts.
fn written(shape: &Shape, value: Value) -> Value {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(object)) => {
            let known = |name: &str| members.iter().find(|member| member.name == name);
            let member = |(name, value): (String, Value)| {
                let value = match known(&name) {
                    Some(member) => written(member.shape, value),
                    None => value,
                };
                (name, value)
            };
            Value::Object(object.into_iter().map(member).collect())
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            items.into_iter().map(|item| written(member, item)).collect()
        }
        (Kind::Map { value: of, .. }, Value::Object(object)) => {
            Value::Object(object.into_iter().map(|(name, value)| (name, written(of, value))).collect())
        }
        (Kind::Timestamp, time) => {
            let read = serde_json::from_value::<Timestamp>(time.clone());
            read.map_or(time, |time| milliseconds(time.ms()).into())
        }
        (_, value) => value,
    }
}

/// `2026-11-29T18:37:40.005Z`
pub(super) fn milliseconds(ms: u64) -> String {
    seconds(ms).replace('Z', &format!(".{:03}Z", ms % 1000))
}

/// `2026-11-29T18:37:40Z`
pub(super) fn seconds(ms: u64) -> String {
    Timestamp::from_ms(ms - ms % 1000).to_iso8601().unwrap_or_default()
}
