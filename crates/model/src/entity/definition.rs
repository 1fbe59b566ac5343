use super::{Document, Size, Tags};
use crate::{
    entity::instance::Attribute,
    ids::{self, Revision},
    key::{DefinitionKey, Scope},
    spelling::spelled,
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

spelled! {
    DefinitionStatus { Active = "ACTIVE", Inactive = "INACTIVE", DeleteInProgress = "DELETE_IN_PROGRESS" }
}
spelled! {
    LaunchType { Ec2 = "EC2", Fargate = "FARGATE", External = "EXTERNAL" }
}
spelled! {
    NetworkMode { Bridge = "bridge", Host = "host", Awsvpc = "awsvpc", None = "none" }
}
spelled! {
    Transport { Tcp = "tcp", Udp = "udp" }
}

/// How far a family has counted. It outlives the definitions: a revision is never given twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    pub scope: Scope,
    pub name: ids::Family,
    pub last_revision: Revision,
}

/// A task definition named within a known scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DefinitionRef {
    pub family: ids::Family,
    pub revision: Revision,
}

impl DefinitionRef {
    pub fn in_scope(&self, scope: &Scope) -> DefinitionKey {
        DefinitionKey { scope: scope.clone(), family: self.family.clone(), revision: self.revision }
    }
}

impl From<&DefinitionKey> for DefinitionRef {
    fn from(key: &DefinitionKey) -> Self {
        Self { family: key.family.clone(), revision: key.revision }
    }
}

impl fmt::Display for DefinitionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.revision)
    }
}

/// What the tasks of this definition need to run on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RuntimePlatform {
    /// `LINUX`, `WINDOWS_SERVER_2022_CORE`, …; absent means LINUX.
    pub os_family: Option<Arc<str>>,
    /// `X86_64` or `ARM64`; absent means any.
    pub cpu_architecture: Option<Arc<str>>,
}

/// A port of the host that a container asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    pub port: u16,
    pub transport: Transport,
}

/// What decisions need to know of a container; the definition in full is in the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerShape {
    pub name: Arc<str>,
    pub image: Arc<str>,
    pub essential: bool,
    /// CPU units; 0 where the user gave none.
    #[serde(default)]
    pub cpu: u32,
    /// Hard limit, MiB.
    pub memory_mib: Option<u32>,
    /// Soft limit, MiB.
    pub memory_reservation_mib: Option<u32>,
    /// Fixed host ports only; a dynamic one (0) is the agent's choice.
    #[serde(default)]
    pub host_ports: Vec<HostPort>,
    /// GPUs of its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u32,
    pub start_timeout_s: Option<u32>,
    pub stop_timeout_s: Option<u32>,
    /// Whether the container has a health check: its task is healthy only when all of these are.
    #[serde(default)]
    pub health_checked: bool,
}

/// Of all containers together.
pub fn gpus_of(containers: &[u32]) -> usize {
    containers.iter().fold(0, |sum, count| sum.saturating_add(*count as usize))
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub key: DefinitionKey,
    pub status: DefinitionStatus,
    /// The task's own size in CPU units and MiB, where it was given.
    pub cpu: Option<u32>,
    pub memory_mib: Option<u32>,
    pub network_mode: NetworkMode,
    #[serde(default)]
    pub compatibilities: Vec<LaunchType>,
    #[serde(default)]
    pub requires_compatibilities: Vec<LaunchType>,
    #[serde(default)]
    pub requires_attributes: Vec<Attribute>,
    /// The expressions of its `memberOf` placement constraints.
    #[serde(default)]
    pub member_of: Vec<Arc<str>>,
    #[serde(default)]
    pub platform: RuntimePlatform,
    pub containers: Vec<ContainerShape>,
    pub ephemeral_storage_gib: Option<u32>,
    /// Everything as registered, for giving back and for the agent.
    pub document: Document,
    #[serde(default)]
    pub tags: Tags,
    pub registered_at_ms: u64,
    pub registered_by: Option<Arc<str>>,
    pub deregistered_at_ms: Option<u64>,
    pub delete_requested_at_ms: Option<u64>,
}

impl TaskDefinition {
    /// What one task reserves on an instance: the task's size, or else the sum of what its
    /// containers reserve (agent's host resource gate: soft limit first, then hard).
    pub fn demand(&self) -> Size {
        let sum =
            |of: fn(&ContainerShape) -> u32| self.containers.iter().map(|c| i64::from(of(c))).sum::<i64>();
        Size {
            cpu: self.cpu.map_or_else(|| sum(|c| c.cpu), i64::from),
            memory_mib: self
                .memory_mib
                .map_or_else(|| sum(|c| c.memory_reservation_mib.or(c.memory_mib).unwrap_or(0)), i64::from),
        }
    }

    /// The GPUs that each container of a task asks for.
    pub fn gpus(&self) -> Vec<u32> {
        self.containers.iter().map(|container| container.gpus).collect()
    }

    /// Fixed host ports a task takes on its instance: none in `awsvpc`, where it has its own.
    pub fn host_ports(&self) -> impl Iterator<Item = HostPort> {
        let shared = matches!(self.network_mode, NetworkMode::Bridge | NetworkMode::Host);
        self.containers.iter().flat_map(|c| c.host_ports.iter().copied()).filter(move |_| shared)
    }
}
