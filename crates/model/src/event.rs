//! What happened. Events are facts: taking one in decides nothing, and each names what it touched.

use crate::{
    entity::*,
    ids::*,
    key::{ClusterKey, DefinitionKey, Scope, ServiceKey},
};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    ClusterCreated(Arc<Cluster>),
    ClusterUpdated(Arc<Cluster>),
    ClusterDeleted(Arc<Cluster>),
    ClusterForgotten(ClusterKey),

    DefinitionRegistered(Arc<TaskDefinition>),
    /// Its status or tags changed.
    DefinitionUpdated(Arc<TaskDefinition>),
    DefinitionForgotten(DefinitionKey),

    InstanceRegistered(Arc<ContainerInstance>),
    /// Its attributes, status, tags, health or connection changed.
    InstanceUpdated(Arc<ContainerInstance>),
    InstanceForgotten {
        home: Home,
        id: InstanceId,
    },

    TaskCreated(Arc<Task>),
    TaskDesiredStopped {
        task: TaskId,
        stop: Stop,
    },
    TaskMoved {
        task: TaskId,
        status: TaskStatus,
        at_ms: u64,
    },
    TaskConnected {
        task: TaskId,
        at_ms: u64,
    },
    TaskAcknowledged {
        task: TaskId,
        desired: DesiredStatus,
    },
    TaskTimed {
        task: TaskId,
        times: TaskTimes,
    },
    ContainerChanged {
        task: TaskId,
        index: usize,
        container: Container,
    },
    AttachmentMoved {
        task: TaskId,
        status: AttachmentStatus,
    },
    TaskHealthChanged {
        task: TaskId,
        health: Health,
    },
    TaskProtected {
        task: TaskId,
        until_ms: Option<u64>,
    },
    TaskTagged {
        task: TaskId,
        tags: Tags,
    },
    /// Its deadline came, or another attempt followed.
    TaskRunChanged {
        task: TaskId,
        run: Box<Run>,
    },
    TaskForgotten {
        cluster: ClusterKey,
        task: TaskId,
    },

    ServiceCreated(Arc<Service>),
    /// The user changed it.
    ServiceUpdated(Arc<Service>),
    /// Its scheduler took a step: events, deployments, failures counted.
    ServiceStepped(Arc<Service>),
    ServiceForgotten(ServiceKey),

    /// A deployment began to be, or its status changed.
    ServiceDeploymentRecorded(Arc<ServiceDeployment>),
    ServiceDeploymentForgotten(ServiceKey, u64),
    ServiceRevisionRecorded(Arc<ServiceRevision>),
    ServiceRevisionForgotten(ServiceKey, u64),

    AccountSettingPut(Arc<AccountSetting>),
    AccountSettingDeleted(SettingKey),

    /// It was made, or used.
    JoinTokenRecorded(Arc<JoinToken>),
    JoinTokenForgotten(Scope, Arc<str>),
    InstanceKeyMade(Arc<InstanceKey>),
    InstanceKeyEnded(Scope, Arc<str>),

    TokenRecorded(Arc<ClientToken>),
    TokenForgotten(TokenKey),
}

/// Times that an agent tells; `None` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskTimes {
    pub pull_started_at_ms: Option<u64>,
    pub pull_stopped_at_ms: Option<u64>,
    pub execution_stopped_at_ms: Option<u64>,
}

impl Event {
    /// The task that the event is about, where it is about one.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Event::TaskCreated(task) => Some(task.id),
            Event::TaskDesiredStopped { task, .. }
            | Event::TaskMoved { task, .. }
            | Event::TaskConnected { task, .. }
            | Event::TaskAcknowledged { task, .. }
            | Event::TaskTimed { task, .. }
            | Event::ContainerChanged { task, .. }
            | Event::AttachmentMoved { task, .. }
            | Event::TaskHealthChanged { task, .. }
            | Event::TaskProtected { task, .. }
            | Event::TaskTagged { task, .. }
            | Event::TaskRunChanged { task, .. }
            | Event::TaskForgotten { task, .. } => Some(*task),
            _ => None,
        }
    }

    /// The service that the event is about, where it is about one itself.
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) => Some(&service.key),
            Event::ServiceForgotten(key) => Some(key),
            _ => None,
        }
    }

    /// The instance that the event is about, where it is about one itself.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Event::InstanceRegistered(instance) | Event::InstanceUpdated(instance) => Some(instance.id),
            Event::InstanceForgotten { id, .. } => Some(*id),
            _ => None,
        }
    }
}
