use super::{Document, Stage};
use crate::{ids::DeploymentId, key::ServiceKey, spelling::spelled};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// So long is what is over still told (ECS developer guide, "View service history using Amazon ECS service
/// deployments").
pub const HISTORY_MS: u64 = 90 * 24 * 60 * 60 * 1000;
/// And so many at most of one service, the newest; of its revisions too.
pub const HISTORY_KEPT: u64 = 200;

spelled! {
    /// Where a service deployment stands (ECS API reference, ServiceDeployment).
    ServiceDeploymentStatus {
        /// No step was taken for it yet.
        Pending = "PENDING",
        InProgress = "IN_PROGRESS",
        StopRequested = "STOP_REQUESTED",
        RollbackRequested = "ROLLBACK_REQUESTED",
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        Successful = "SUCCESSFUL",
        Stopped = "STOPPED",
        RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

impl ServiceDeploymentStatus {
    pub fn is_over(self) -> bool {
        matches!(self, Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed)
    }

    /// Whether `next` may follow, states in between passed over: it only goes forward.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => next != Self::Pending,
            Self::InProgress => !matches!(next, Self::Pending | Self::InProgress),
            Self::StopRequested => next == Self::Stopped,
            // The service may be deleted, or deployed anew, before its scheduler gets to it.
            Self::RollbackRequested => matches!(next, Self::RollbackInProgress | Self::RollbackFailed),
            Self::RollbackInProgress => matches!(next, Self::RollbackSuccessful | Self::RollbackFailed),
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => false,
        }
    }
}

spelled! {
    /// What a user asks of a deployment that is under way (ECS API reference, StopServiceDeployment).
    StopType { Rollback = "ROLLBACK", Abort = "ABORT" }
}

spelled! {
    /// What became of what watches a deployment for failures.
    WatchStatus {
        Disabled = "DISABLED",
        Monitoring = "MONITORING",
        MonitoringComplete = "MONITORING_COMPLETE",
        Triggered = "TRIGGERED",
    }
}

/// What the circuit breaker saw, or sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub status: WatchStatus,
    pub failures: u32,
    pub threshold: u32,
}

/// Tasks of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RevisionCounts {
    pub requested: u32,
    pub running: u32,
    pub pending: u32,
}

/// A deployment that a service comes from, with its tasks when the one to another was over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRevision {
    pub deployment: DeploymentId,
    pub counts: Option<RevisionCounts>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    pub reason: Arc<str>,
    pub at_ms: u64,
    /// The deployment that the service went back to; `None` where there was none.
    pub to: Option<DeploymentId>,
}

/// The record of one deployment, whatever has become of it. It is written when its status changes, and not with each
/// step: while it is under way its counts follow from the tasks ([`crate::World::deployment_history`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    pub service: ServiceKey,
    /// The how-manieth of the service's deployments, from 1.
    pub number: u64,
    /// What it is the record of. Its revision is named by it as well.
    pub deployment: DeploymentId,
    pub status: ServiceDeploymentStatus,
    pub reason: Option<Arc<str>>,
    /// What the service ran before, newest first.
    pub sources: Vec<SourceRevision>,
    /// Once it is over.
    pub counts: Option<RevisionCounts>,
    /// Once the circuit breaker has ceased to watch.
    pub watch: Option<Watch>,
    pub rollback: Option<Rollback>,
    /// How far it had come when it was over, if it had stages.
    #[serde(default)]
    pub stage: Option<Stage>,
    pub created_at_ms: u64,
    /// When the service's scheduler took its first step for it.
    pub started_at_ms: Option<u64>,
    pub finished_at_ms: Option<u64>,
    pub stopped_at_ms: Option<u64>,
    pub updated_at_ms: u64,
    /// How the service was to be deployed: its own `document` at that time.
    pub document: Option<Document>,
}

impl ServiceDeployment {
    /// Whether it still belongs to the history that is shown.
    pub fn is_told(&self, now_ms: u64) -> bool {
        self.finished_at_ms.is_none_or(|at_ms| at_ms.saturating_add(HISTORY_MS) > now_ms)
    }
}
