use super::{
    CapacityStrategyItem, DefinitionRef, Document, LaunchType, Lifecycle, PlacementConstraint,
    PlacementStrategy, Stage, Stages, Tags,
};
use crate::{
    ids::{DeploymentId, Uuid},
    key::ServiceKey,
    spelling::spelled,
};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Arc};

/// Service events kept (ECS developer guide, "service event messages").
pub const EVENTS_KEPT: usize = 100;

spelled! {
    ServiceStatus { Active = "ACTIVE", Draining = "DRAINING", Inactive = "INACTIVE" }
}
spelled! {
    SchedulingStrategy { Replica = "REPLICA", Daemon = "DAEMON" }
}
spelled! {
    ControllerType { Ecs = "ECS", CodeDeploy = "CODE_DEPLOY", External = "EXTERNAL" }
}
spelled! {
    PropagateTags { None = "NONE", TaskDefinition = "TASK_DEFINITION", Service = "SERVICE" }
}
spelled! {
    DeploymentStatus { Primary = "PRIMARY", Active = "ACTIVE", Draining = "DRAINING", Inactive = "INACTIVE" }
}
spelled! {
    RolloutState { InProgress = "IN_PROGRESS", Completed = "COMPLETED", Failed = "FAILED" }
}

spelled! {
    /// What a breaker's threshold is a number of: percent of the desired count, kept between 3 and 200 tasks
    /// or not, or tasks.
    ThresholdKind { BoundedPercent = "BOUNDED_PERCENT", UnboundedPercent = "UNBOUNDED_PERCENT", Count = "COUNT" }
}

/// The deployment circuit breaker: a deployment with so many failed tasks is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    pub enable: bool,
    pub rollback: bool,
    /// Whether a task that holds begins the count anew.
    #[serde(default = "yes")]
    pub reset_on_healthy: bool,
    #[serde(default)]
    pub threshold: Threshold,
}

fn yes() -> bool {
    true
}

impl Default for Breaker {
    fn default() -> Self {
        Self { enable: false, rollback: false, reset_on_healthy: true, threshold: Threshold::default() }
    }
}

impl Breaker {
    /// A bounded percentage stays between these.
    const FEWEST: u32 = 3;
    const MOST: u32 = 200;

    /// So many failed tasks end a deployment.
    pub fn allows(self, desired: u32) -> u32 {
        let value = self.threshold.value;
        let percent = || {
            let tasks = (u64::from(desired) * u64::from(value)).div_ceil(100);
            u32::try_from(tasks).unwrap_or(u32::MAX)
        };
        match self.threshold.kind {
            ThresholdKind::BoundedPercent => percent().clamp(Self::FEWEST, Self::MOST),
            ThresholdKind::UnboundedPercent => percent().max(1),
            ThresholdKind::Count => value,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    pub kind: ThresholdKind,
    pub value: u32,
}

impl Default for Threshold {
    fn default() -> Self {
        Self { kind: ThresholdKind::BoundedPercent, value: 50 }
    }
}

/// How a deployment is held back while its tasks keep failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Throttle {
    /// Tasks that failed to start, or ended within seconds, without a good one in between.
    pub failures: u32,
    pub last_failure_at_ms: u64,
}

/// What makes a deployment a task set: somebody else than ECS decides what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSet {
    pub external_id: Option<Arc<str>>,
    /// Percent of the service's desired count.
    pub scale: f64,
    pub tags: Tags,
    /// Whether it is as it is wanted, and since when.
    pub stable: bool,
    pub stable_at_ms: u64,
}

impl TaskSet {
    /// How many tasks it is to have, rounded up (ECS API reference, TaskSet.computedDesiredCount).
    pub fn computed(&self, desired: u32) -> u32 {
        // What is a whole number on paper may be a little more in binary.
        const NOTHING: f64 = 1e-6;
        (f64::from(desired) * self.scale / 100.0 - NOTHING).ceil().max(0.0) as u32
    }
}

/// One attempt to bring the service to a task definition and configuration. How many of its tasks
/// are pending and running follows from the tasks: `World::deployment_counts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub status: DeploymentStatus,
    pub definition: DefinitionRef,
    pub desired_count: u32,
    pub launch_type: LaunchType,
    #[serde(default)]
    pub capacity_strategy: Vec<CapacityStrategyItem>,
    pub platform_version: Option<Arc<str>>,
    pub platform_family: Option<Arc<str>>,
    pub network: Option<Document>,
    /// The subnet of `network` that its tasks are said to be in.
    pub subnet: Option<Arc<str>>,
    pub rollout_state: RolloutState,
    pub rollout_reason: Arc<str>,
    /// While it is IN_PROGRESS: tasks that failed to start, ended by themselves or failed their health checks,
    /// since one held.
    pub failed_tasks: u32,
    /// When the last of them was counted.
    #[serde(default)]
    pub failed_at_ms: u64,
    pub throttle: Throttle,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    /// Where it stands, while it goes through lifecycle stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Box<Lifecycle>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_set: Option<Box<TaskSet>>,
    /// Anything else that is given back.
    pub document: Option<Document>,
}

impl Deployment {
    /// Whether its end is still open.
    pub fn is_rolling_out(&self) -> bool {
        self.status == DeploymentStatus::Primary && self.rollout_state == RolloutState::InProgress
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    pub id: Uuid,
    pub at_ms: u64,
    pub message: Arc<str>,
}

/// A number of tasks that is kept for ever. Deleted, it drains, then stays INACTIVE for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub key: ServiceKey,
    pub status: ServiceStatus,
    pub desired_count: u32,
    pub scheduling: SchedulingStrategy,
    pub controller: ControllerType,
    /// Percent of the desired count that must stay healthy while tasks are replaced, rounded up.
    pub minimum_healthy_percent: u32,
    /// Percent of the desired count that may be there while tasks are replaced, rounded down.
    pub maximum_percent: u32,
    #[serde(default)]
    pub breaker: Breaker,
    /// How it is deployed; `None` where tasks are replaced a few at a time.
    #[serde(default)]
    pub stages: Option<Arc<Stages>>,
    pub alarms: Option<Document>,
    pub health_check_grace_s: Option<u32>,
    /// The PRIMARY one first, then older ones that still have tasks, newest first.
    pub deployments: Vec<Deployment>,
    /// As it was when it completed last: where a rollback leads. It may have no tasks any more.
    #[serde(default)]
    pub completed: Option<Box<Deployment>>,
    /// Newest first, at most [`EVENTS_KEPT`].
    #[serde(default)]
    pub events: VecDeque<ServiceEvent>,
    /// Whether the present state has been announced as steady; cleared when it is left.
    #[serde(default)]
    pub steady: bool,
    #[serde(default, deserialize_with = "super::placement::or_empty")]
    pub placement_constraints: Vec<PlacementConstraint>,
    #[serde(default, deserialize_with = "super::placement::or_empty")]
    pub placement_strategy: Vec<PlacementStrategy>,
    pub propagate_tags: PropagateTags,
    #[serde(default)]
    pub managed_tags: bool,
    #[serde(default)]
    pub enable_execute_command: bool,
    #[serde(default)]
    pub tags: Tags,
    pub created_by: Option<Arc<str>>,
    pub created_at_ms: u64,
    pub inactive_at_ms: Option<u64>,
    /// Load balancers, registries and whatever else is given back.
    pub document: Option<Document>,
    /// The number of the newest push that it was deployed for; 0 for none.
    #[serde(default)]
    pub push: u64,
    /// How many deployments it was given: the number of the newest one's record. 0 also for a service that was stored
    /// before there were records, until it is deployed again.
    #[serde(default)]
    pub deployed: u64,
    /// Grows with each change; a plan made for another version is refused.
    pub version: u64,
}

impl Service {
    /// The deployment that new tasks belong to. Absent only for controllers other than ECS.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == DeploymentStatus::Primary)
    }

    /// All deployments make way for another one; `beside` runs on as long as that takes.
    pub(crate) fn supersede(&mut self, beside: Option<&DeploymentId>, now_ms: u64) {
        for deployment in &mut self.deployments {
            deployment.status = DeploymentStatus::Active;
            deployment.lifecycle = None;
            if Some(&deployment.id) != beside {
                deployment.desired_count = 0;
            }
            deployment.updated_at_ms = now_ms;
        }
    }

    /// Task sets have their share of the desired count.
    pub(crate) fn scale_task_sets(&mut self, now_ms: u64) {
        let desired = self.desired_count;
        for set in self.deployments.iter_mut().filter(|set| set.status != DeploymentStatus::Draining) {
            let Some(computed) = set.task_set.as_ref().map(|own| own.computed(desired)) else { continue };
            if computed != set.desired_count {
                set.desired_count = computed;
                set.updated_at_ms = now_ms;
            }
        }
    }

    /// The lifecycle stage that its deployment is at, if it has such.
    pub fn stage(&self) -> Option<Stage> {
        self.primary().and_then(|primary| Some(primary.lifecycle.as_ref()?.stage))
    }

    pub fn deployment(&self, id: &DeploymentId) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == *id)
    }
}
