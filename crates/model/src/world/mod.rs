//! Everything that is known, as of one moment. Cloning is O(1), so a reader keeps a snapshot while
//! the writer goes on.
//!
//! The entities are what is stored; all else (who runs where, what is free, which tasks wait for
//! their agent) follows from them, and is kept in step by the same code whether an event is taken in
//! or the world is restored.

mod evolve;
mod grounds;
mod groups;
mod history;
mod index;
mod joining;
mod lists;
mod queries;
mod usage;

pub use grounds::Grounds;
pub use groups::GroupTasks;
pub use history::DeploymentHistory;
pub use lists::TaskFilter;
pub use queries::{ClusterCounts, DeploymentCounts};
pub use usage::{TaskCounts, Usage};

use crate::{entity::*, ids::*, key::*};
use imbl::{OrdMap, OrdSet};
use index::Index;
use std::sync::Arc;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    pub(crate) clusters: OrdMap<ClusterKey, Arc<Cluster>>,
    pub(crate) families: OrdMap<(Scope, Family), Arc<FamilyRecord>>,
    pub(crate) definitions: OrdMap<DefinitionKey, Arc<TaskDefinition>>,
    pub(crate) instances: OrdMap<InstanceId, Arc<ContainerInstance>>,
    pub(crate) tasks: OrdMap<TaskId, Arc<Task>>,
    pub(crate) services: OrdMap<ServiceKey, Arc<Service>>,
    /// By their numbers, so the newest of a service is the last.
    pub(crate) service_deployments: OrdMap<(ServiceKey, u64), Arc<ServiceDeployment>>,
    pub(crate) service_revisions: OrdMap<(ServiceKey, u64), Arc<ServiceRevision>>,
    pub(crate) account_settings: OrdMap<SettingKey, Arc<AccountSetting>>,
    pub(crate) tokens: OrdMap<TokenKey, Arc<ClientToken>>,
    pub(crate) join_tokens: OrdMap<Arc<str>, Arc<JoinToken>>,
    pub(crate) instance_keys: OrdMap<Arc<str>, Arc<InstanceKey>>,

    // What follows from the above.
    instances_at: Index<Home, InstanceId>,
    tasks_in: Index<(ClusterKey, DesiredStatus), TaskId>,
    /// Live tasks under `true`, stopped ones under `false`.
    tasks_of_service: Index<(ServiceKey, bool), TaskId>,
    tasks_on: Index<InstanceId, TaskId>,
    tasks_of_family: Index<(ClusterKey, Family), TaskId>,
    groups: groups::Groups,
    /// The DAEMON ones that are ACTIVE.
    daemons: OrdSet<ServiceKey>,
    tasks_started_by: Index<(ClusterKey, StartedBy), TaskId>,
    awaiting_agent: Index<InstanceId, TaskId>,
    tasks_with_attachment: OrdMap<Uuid, TaskId>,
    stopped: OrdSet<(u64, TaskId)>,
    /// Of live tasks that have one.
    deadlines: OrdSet<(u64, TaskId)>,
    /// When another attempt of a stopped task is due.
    retries: OrdSet<(u64, TaskId)>,
    token_ends: OrdSet<(u64, TokenKey)>,
    keys_of_instances: OrdMap<InstanceId, Arc<str>>,
    keys_of_attempts: OrdMap<Arc<str>, Arc<str>>,
    usage: OrdMap<InstanceId, Usage>,
    cluster_tasks: OrdMap<ClusterKey, TaskCounts>,
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }
}
