use super::{DefinitionRef, Document, LaunchType, Size, Tags};
use crate::{
    ids::{DeploymentId, Group, InstanceId, ServiceName, StartedBy, TaskId, Uuid},
    key::{ClusterKey, DefinitionKey, ServiceKey},
    spelling::spelled,
};
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, sync::Arc};

spelled! {
    /// The life cycle, in order (ECS developer guide, "task lifecycle"). It only goes forward;
    /// states may be passed over.
    TaskStatus {
        Provisioning = "PROVISIONING",
        Pending = "PENDING",
        Activating = "ACTIVATING",
        Running = "RUNNING",
        Deactivating = "DEACTIVATING",
        Stopping = "STOPPING",
        Deprovisioning = "DEPROVISIONING",
        Stopped = "STOPPED",
    }
}
spelled! {
    /// What the control plane wants. It goes from RUNNING to STOPPED, never back.
    DesiredStatus { Running = "RUNNING", Stopped = "STOPPED" }
}
spelled! {
    ContainerStatus { Pending = "PENDING", Running = "RUNNING", Stopped = "STOPPED" }
}
spelled! {
    Health { Unknown = "UNKNOWN", Healthy = "HEALTHY", Unhealthy = "UNHEALTHY" }
}
spelled! {
    Connectivity { Disconnected = "DISCONNECTED", Connected = "CONNECTED" }
}
spelled! {
    /// Why a task stopped (ECS API reference, Task.stopCode).
    StopCode {
        TaskFailedToStart = "TaskFailedToStart",
        EssentialContainerExited = "EssentialContainerExited",
        UserInitiated = "UserInitiated",
        ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        SpotInterruption = "SpotInterruption",
        TerminationNotice = "TerminationNotice",
    }
}
spelled! {
    /// State of a task's network interface, in order.
    AttachmentStatus {
        Precreated = "PRECREATED", Created = "CREATED", Attaching = "ATTACHING", Attached = "ATTACHED",
        Detaching = "DETACHING", Detached = "DETACHED", Deleted = "DELETED",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub code: StopCode,
    pub reason: Arc<str>,
}

/// The network interface of an `awsvpc` task, its address from the instance's subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eni {
    pub attachment_id: Uuid,
    /// `eni-` and 17 hexadecimal digits.
    pub eni_id: Box<str>,
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    /// `xx:xx:xx:xx:xx:xx`
    pub mac: Box<str>,
    /// The subnet that the user named, given back as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Arc<str>>,
    pub status: AttachmentStatus,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub name: Arc<str>,
    /// Last part of the container's ARN.
    pub id: Uuid,
    pub essential: bool,
    pub image: Arc<str>,
    pub last_status: ContainerStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_bindings: Option<Document>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_agents: Option<Document>,
    pub health: Health,
    #[serde(default)]
    pub health_checked: bool,
    /// The ids of the GPUs that are its own: they are its task's until that is STOPPED.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Arc<str>>,
}

/// One placed copy of a task definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub cluster: ClusterKey,
    pub definition: DefinitionRef,
    pub launch_type: LaunchType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_provider: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_family: Option<Arc<str>>,
    pub instance: InstanceId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<StartedBy>,
    /// The service whose scheduler started it, and for which deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    pub desired_status: DesiredStatus,
    pub last_status: TaskStatus,
    pub connectivity: Connectivity,
    pub health: Health,
    pub containers: Vec<Container>,
    /// What the task holds on its instance until it is STOPPED.
    pub size: Size,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<super::HostPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eni: Option<Eni>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    #[serde(default)]
    pub tags: Tags,
    #[serde(default)]
    pub enable_execute_command: bool,
    /// Until then neither scale-in nor a deployment stops it (milliseconds since the epoch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage_gib: Option<u32>,
    /// Of a task with a deadline or a retry policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<super::Run>>,
    /// Anything else that is given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// Grows with each change.
    pub version: u64,
    /// The desired status that the agent has confirmed to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<DesiredStatus>,

    pub created_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_started_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at_ms: Option<u64>,
    /// When it came to RUNNING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping_at_ms: Option<u64>,
    /// When its containers had ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at_ms: Option<u64>,
}

impl Task {
    pub fn is_live(&self) -> bool {
        self.last_status != TaskStatus::Stopped
    }

    /// Whether it is to run, and isn't over.
    pub fn is_wanted(&self) -> bool {
        self.is_live() && self.desired_status == DesiredStatus::Running
    }

    /// Whether the agent must still be told: a payload is due.
    pub fn awaits_agent(&self) -> bool {
        self.is_live() && self.acknowledged != Some(self.desired_status)
    }

    pub fn is_protected(&self, now_ms: u64) -> bool {
        self.protected_until_ms.is_some_and(|until_ms| until_ms > now_ms)
    }

    /// RUNNING, wanted and, where an essential container has a health check, found HEALTHY: what
    /// counts toward a service's minimum healthy percent.
    pub fn is_healthy(&self) -> bool {
        self.last_status == TaskStatus::Running
            && self.desired_status == DesiredStatus::Running
            && (!self.is_checked() || self.health == Health::Healthy)
    }

    /// Whether an essential container has a health check.
    pub fn is_checked(&self) -> bool {
        self.containers.iter().any(|container| container.essential && container.health_checked)
    }

    pub fn definition_key(&self) -> DefinitionKey {
        self.definition.in_scope(&self.cluster.scope)
    }

    pub fn service_key(&self) -> Option<ServiceKey> {
        self.service.as_ref().map(|name| ServiceKey { cluster: self.cluster.clone(), name: name.clone() })
    }

    /// The ids of the GPUs that it has.
    pub fn gpus(&self) -> impl Iterator<Item = &Arc<str>> {
        self.containers.iter().flat_map(|container| &container.gpus)
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| &*container.name == name)
    }
}
