//! The world as key-value pairs: JSON under keys that a person can read. What is stored is the
//! entities alone; restoring them restores the world.

use crate::{
    entity::{ContainerInstance, Home, SettingKey, Task, TokenKey},
    event::Event,
    key::{ClusterKey, DefinitionKey, Scope, ServiceKey},
    world::World,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// A stored pair that can't be read. The state isn't to be used: part of it would be missing.
#[derive(Debug, thiserror::Error)]
pub enum Corrupt {
    #[error("the stored key {key:?} is of no kind known to this version")]
    UnknownKey { key: String },
    #[error("the stored value of {key:?} can't be read")]
    Value {
        key: String,
        #[source]
        source: serde_json::Error,
    },
}

const DEPLOYMENT: &str = "service-deployment";
const REVISION: &str = "service-revision";
const JOIN_TOKEN: &str = "join-token";
const INSTANCE_KEY: &str = "instance-key";

fn scoped(scope: &Scope, kind: &str, rest: std::fmt::Arguments<'_>) -> String {
    format!("ecs/{}/{}/{kind}/{rest}", scope.account, scope.region)
}

fn cluster_key(key: &ClusterKey) -> String {
    scoped(&key.scope, "cluster", format_args!("{}", key.name))
}

fn service_key(key: &ServiceKey) -> String {
    scoped(&key.cluster.scope, "service", format_args!("{}/{}", key.cluster.name, key.name))
}

/// The number has ten digits, so that the order of the keys is the order of the numbers.
fn history_key(kind: &str, key: &ServiceKey, number: u64) -> String {
    scoped(&key.cluster.scope, kind, format_args!("{}/{}/{number:010}", key.cluster.name, key.name))
}

/// The revision has ten digits, so that the order of the keys is the order of the numbers.
fn definition_key(key: &DefinitionKey) -> String {
    scoped(&key.scope, "definition", format_args!("{}/{:010}", key.family, key.revision.0))
}

fn instance_key(home: &Home, id: impl std::fmt::Display) -> String {
    match home {
        Home::Pool => format!("pool/instance/{id}"),
        Home::Cluster(cluster) => scoped(&cluster.scope, "instance", format_args!("{}/{id}", cluster.name)),
    }
}

fn task_key(cluster: &ClusterKey, id: impl std::fmt::Display) -> String {
    scoped(&cluster.scope, "task", format_args!("{}/{id}", cluster.name))
}

fn token_key(key: &TokenKey) -> String {
    scoped(&key.scope, "token", format_args!("{}/{}", key.operation, key.token))
}

fn joining_key(scope: &Scope, kind: &str, id: &str) -> String {
    scoped(scope, kind, format_args!("{id}"))
}

fn setting_key(key: &SettingKey) -> String {
    scoped(&key.scope, "setting", format_args!("{}/{}", key.name, key.principal))
}

fn text(value: &impl Serialize) -> Option<Vec<u8>> {
    // Every entity's maps have string keys and its types' Serialize never refuses.
    Some(serde_json::to_vec(value).expect("an entity is always representable as JSON"))
}

/// The pairs to write (or, where the value is `None`, to delete) so that what is stored agrees with
/// `world`, into which `events` have been taken. Each key once, in order.
pub fn changes(world: &World, events: &[Event]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut pairs = BTreeMap::new();
    for event in events {
        match event {
            Event::ClusterCreated(cluster)
            | Event::ClusterUpdated(cluster)
            | Event::ClusterDeleted(cluster) => {
                pairs.insert(cluster_key(&cluster.key), text(cluster));
            }
            Event::ClusterForgotten(key) => {
                pairs.insert(cluster_key(key), None);
            }
            Event::DefinitionRegistered(definition) => {
                let (scope, family) = (&definition.key.scope, &definition.key.family);
                let record = world.family(scope, family).and_then(text);
                pairs.insert(scoped(scope, "family", format_args!("{family}")), record);
                pairs.insert(definition_key(&definition.key), text(definition));
            }
            Event::DefinitionUpdated(definition) => {
                pairs.insert(definition_key(&definition.key), text(definition));
            }
            Event::DefinitionForgotten(key) => {
                pairs.insert(definition_key(key), None);
            }
            Event::InstanceRegistered(instance) | Event::InstanceUpdated(instance) => {
                pairs.insert(instance_key(&instance.home, instance.id), text(instance));
            }
            Event::InstanceForgotten { home, id } => {
                pairs.insert(instance_key(home, id), None);
            }
            Event::TaskForgotten { cluster, task } => {
                pairs.insert(task_key(cluster, task), None);
            }
            Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) => {
                pairs.insert(service_key(&service.key), text(service));
            }
            Event::ServiceForgotten(key) => {
                pairs.insert(service_key(key), None);
            }
            Event::ServiceDeploymentRecorded(record) => {
                pairs.insert(history_key(DEPLOYMENT, &record.service, record.number), text(record));
            }
            Event::ServiceDeploymentForgotten(key, number) => {
                pairs.insert(history_key(DEPLOYMENT, key, *number), None);
            }
            Event::ServiceRevisionRecorded(revision) => {
                pairs.insert(history_key(REVISION, &revision.service, revision.number), text(revision));
            }
            Event::ServiceRevisionForgotten(key, number) => {
                pairs.insert(history_key(REVISION, key, *number), None);
            }
            Event::AccountSettingPut(setting) => {
                pairs.insert(setting_key(&setting.key), text(setting));
            }
            Event::AccountSettingDeleted(key) => {
                pairs.insert(setting_key(key), None);
            }
            Event::JoinTokenRecorded(token) => {
                pairs.insert(joining_key(&token.cluster.scope, JOIN_TOKEN, &token.id), text(token));
            }
            Event::JoinTokenForgotten(scope, id) => {
                pairs.insert(joining_key(scope, JOIN_TOKEN, id), None);
            }
            Event::InstanceKeyMade(key) => {
                pairs.insert(joining_key(&key.cluster.scope, INSTANCE_KEY, &key.id), text(key));
            }
            Event::InstanceKeyEnded(scope, id) => {
                pairs.insert(joining_key(scope, INSTANCE_KEY, id), None);
            }
            Event::TokenRecorded(token) => {
                pairs.insert(token_key(&token.key), text(token));
            }
            Event::TokenForgotten(key) => {
                pairs.insert(token_key(key), None);
            }
            Event::TaskCreated(_)
            | Event::TaskDesiredStopped { .. }
            | Event::TaskMoved { .. }
            | Event::TaskConnected { .. }
            | Event::TaskAcknowledged { .. }
            | Event::TaskTimed { .. }
            | Event::ContainerChanged { .. }
            | Event::AttachmentMoved { .. }
            | Event::TaskHealthChanged { .. }
            | Event::TaskProtected { .. }
            | Event::TaskTagged { .. }
            | Event::TaskRunChanged { .. } => {
                // A task changes several times within one command: it is written once, below.
            }
        }
    }
    let mut touched: Vec<_> = events.iter().filter_map(Event::task).collect();
    touched.sort_unstable();
    touched.dedup();
    for task in touched.into_iter().filter_map(|id| world.task(id)) {
        pairs.insert(task_key(&task.cluster, task.id), text(task));
    }
    pairs.into_iter().collect()
}

impl World {
    /// The world whose entities are stored under these keys.
    pub fn restore<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<World, Corrupt>
    where
        K: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut world = World::new();
        for (key, value) in pairs {
            let (key, value) = (key.as_ref(), value.as_ref());
            let mut parts = key.split('/');
            let kind = match parts.next() {
                Some("pool") => parts.next(),
                Some("ecs") => parts.nth(2),
                _ => None,
            };
            match kind {
                Some("cluster") => world.put_cluster(read(key, value)?),
                Some("family") => world.put_family(read(key, value)?),
                Some("definition") => world.put_definition(read(key, value)?),
                Some("instance") => world.put_instance(read::<ContainerInstance>(key, value)?),
                Some("service") => world.put_service(read(key, value)?),
                Some(DEPLOYMENT) => world.put_service_deployment(read(key, value)?),
                Some(REVISION) => world.put_service_revision(read(key, value)?),
                Some("task") => {
                    let task = world.share(Arc::unwrap_or_clone(read::<Task>(key, value)?));
                    world.put_task(Arc::new(task));
                }
                Some("setting") => world.put_account_setting(read(key, value)?),
                Some("token") => world.put_token(read(key, value)?),
                Some(JOIN_TOKEN) => world.put_join_token(read(key, value)?),
                Some(INSTANCE_KEY) => world.put_instance_key(read(key, value)?),
                _ => return Err(Corrupt::UnknownKey { key: key.to_owned() }),
            }
        }
        Ok(world)
    }

    /// Gives the task the names that the world already has, in place of copies of its own.
    fn share(&self, mut task: Task) -> Task {
        if let Some((key, _)) = self.clusters.get_key_value(&task.cluster) {
            task.cluster = key.clone();
        }
        if let Some(definition) = self.definition(&task.definition_key()) {
            task.definition.family = definition.key.family.clone();
            for container in &mut task.containers {
                if let Some(shape) = definition.containers.iter().find(|shape| shape.name == container.name) {
                    container.name = shape.name.clone();
                    if container.image == shape.image {
                        container.image = shape.image.clone();
                    }
                }
            }
        }
        if let Some(service) = task.service_key().and_then(|key| self.service(&key).cloned()) {
            task.service = Some(service.key.name.clone());
            if let Some(deployment) = task.deployment.as_ref().and_then(|id| service.deployment(id)) {
                task.deployment = Some(deployment.id.clone());
            }
        }
        task
    }
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<Arc<T>, Corrupt> {
    serde_json::from_slice(value)
        .map(Arc::new)
        .map_err(|source| Corrupt::Value { key: key.to_owned(), source })
}
