//! The state of a task on this machine, and the part of its definition that decides its course.

use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::health::{Checkup, HealthCheck};
use super::restart::RestartPolicy;

/// What the control plane wants. It only moves forward (agent protocol, PayloadMessage).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Desired {
    Running,
    Stopped,
}

/// The condition of one `dependsOn` entry. The translation of the payload refuses any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The other container has been created: what taking volumes from it waits for.
    Create,
    /// The other container has been started.
    Start,
    /// The other container ran to its end, with any exit code.
    Complete,
    /// The other container ran to its end with exit code 0.
    Success,
    /// The other container's health check has passed.
    Healthy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Index of the container that is waited for.
    pub on: usize,
    pub condition: Condition,
}

/// What the step function needs to know of a container's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub name: String,
    pub essential: bool,
    pub depends_on: Vec<Dependency>,
    /// How long dependants wait for this container's COMPLETE, SUCCESS or HEALTHY, in ms from its
    /// start. `None` waits for ever, as the ECS agent does when no startTimeout is given.
    pub start_timeout_ms: Option<u64>,
    /// From the stop signal to SIGKILL, in ms.
    pub stop_timeout_ms: u64,
    #[serde(default)]
    pub health: Option<HealthCheck>,
    #[serde(default)]
    pub restart: Option<RestartPolicy>,
}

/// The definition side of a task, fixed when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    pub arn: String,
    pub containers: Vec<ContainerSpec>,
}

/// Where a container is. The order of the variants is the order of its life: a container never
/// goes back, except from Restarting to Running, and that an interrupted step is begun again after a
/// restart of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing has been done yet.
    New,
    Pulling,
    /// The image is here; waits for the network and for what it depends on.
    Pulled,
    Creating,
    /// Its init process exists and waits to be started.
    Created,
    Starting,
    Running,
    /// Its process has ended and is about to be started again, in the same bundle. To everybody else
    /// it still runs: ECS shows no change of state for a restart.
    Restarting,
    /// The process is gone; its bundle is still here.
    Exited,
    Deleting,
    /// Nothing of it is left here, or it never came to be.
    Gone,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Absent when the process never ran or its end could not be learned.
    pub code: Option<i32>,
    /// `<ErrorName>: <text>`, as agent protocol §9 lists them.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    pub spec: ContainerSpec,
    pub phase: Phase,
    pub exit: Option<Exit>,
    /// It was started at some time: what `START` asks.
    pub was_started: bool,
    pub image_digest: Option<String>,
    pub runtime_id: Option<String>,
    /// The ports of the machine that lead to it.
    #[serde(default)]
    pub bindings: Vec<Binding>,
    /// When the stop signal went out and when SIGKILL is due, in ms since the epoch.
    pub kill_due_ms: Option<u64>,
    /// When the dependants' patience with it ends, in ms since the epoch.
    pub start_due_ms: Option<u64>,
    /// When it was last started, in ms since the epoch.
    #[serde(default)]
    pub started_ms: Option<u64>,
    /// How often its policy has restarted it.
    #[serde(default)]
    pub restarts: u32,
    /// When the run ended that it is being restarted after, by the shim's clock: how an agent that was
    /// away tells whether the end it finds is of that run or of the next.
    #[serde(default)]
    pub restarted_after_ms: Option<u64>,
    #[serde(default)]
    pub checkup: Checkup,
    /// What the last report said of it, so that each report carries only what is new.
    pub(super) reported: super::report::Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NetworkPhase {
    Absent,
    Attaching,
    Attached,
    Detaching,
    Detached,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    pub arn: String,
    pub desired: Desired,
    /// Set once the task is on its way down, whoever decided it.
    pub stopping: bool,
    /// Task-level reason of the final report; usually absent: the control plane words why a task
    /// stopped from its containers' ends.
    pub reason: Option<String>,
    pub network: NetworkPhase,
    pub containers: Vec<ContainerState>,
    pub pull_started_ms: Option<u64>,
    pub pull_stopped_ms: Option<u64>,
    pub execution_stopped_ms: Option<u64>,
    pub(super) reported: super::report::Known,
}

impl TaskState {
    /// A task that has been accepted and of which nothing has been done.
    pub fn new(spec: TaskSpec) -> Self {
        let containers = spec
            .containers
            .into_iter()
            .map(|spec| ContainerState {
                spec,
                phase: Phase::New,
                exit: None,
                was_started: false,
                image_digest: None,
                runtime_id: None,
                bindings: vec![],
                kill_due_ms: None,
                start_due_ms: None,
                started_ms: None,
                restarts: 0,
                restarted_after_ms: None,
                checkup: Checkup::default(),
                reported: super::report::Known::Nothing,
            })
            .collect();
        TaskState {
            arn: spec.arn,
            desired: Desired::Running,
            stopping: false,
            reason: None,
            network: NetworkPhase::Absent,
            containers,
            pull_started_ms: None,
            pull_stopped_ms: None,
            execution_stopped_ms: None,
            reported: super::report::Known::Nothing,
        }
    }

    /// Nothing of the task is left on this machine, and nothing more will be done for it.
    pub fn is_over(&self) -> bool {
        self.stopping
            && self.containers.iter().all(|c| c.phase == Phase::Gone)
            && matches!(self.network, NetworkPhase::Absent | NetworkPhase::Detached)
    }

    /// What has last been said of the task to the control plane.
    pub fn reported(&self) -> super::report::Known {
        self.reported
    }
}

impl ContainerState {
    /// Its process can be running, or be about to.
    pub(super) fn is_alive(&self) -> bool {
        (Phase::Creating..=Phase::Restarting).contains(&self.phase)
    }

    /// It runs, or will again in a moment.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Restarting)
    }

    /// Its volumes are there.
    pub(super) fn was_created(&self) -> bool {
        self.was_started
            || self.runtime_id.is_some()
            || (Phase::Created..=Phase::Restarting).contains(&self.phase)
    }

    /// It ran, or never will.
    pub(super) fn is_stopped(&self) -> bool {
        self.phase >= Phase::Exited
    }
}
