//! What the control plane is told: the content of SubmitTaskStateChange (agent protocol §9).

use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::state::{ContainerState, TaskState};

/// A status as the control plane knows it. The order is the only direction it moves in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Known {
    #[default]
    Nothing,
    Running,
    Stopped,
}

impl Known {
    /// The wire's spelling; everything before RUNNING is PENDING.
    pub fn as_str(self) -> &'static str {
        match self {
            Known::Nothing => "PENDING",
            Known::Running => "RUNNING",
            Known::Stopped => "STOPPED",
        }
    }
}

/// One change of one container. A report may hold several of the same container, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerChange {
    pub name: String,
    pub status: Known,
    pub runtime_id: Option<String>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub image_digest: Option<String>,
    #[serde(default)]
    pub bindings: Vec<Binding>,
}

/// One SubmitTaskStateChange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    pub task: String,
    pub status: Known,
    pub reason: Option<String>,
    pub containers: Vec<ContainerChange>,
    pub pull_started_ms: Option<u64>,
    pub pull_stopped_ms: Option<u64>,
    pub execution_stopped_ms: Option<u64>,
}

impl TaskState {
    /// The report that is due now, if something is new; marks it as said.
    ///
    /// Starts of single containers wait for the task's own event, as in the ECS agent: until then
    /// nobody can act on them. A stop beside live containers goes out at once.
    pub(super) fn take_report(&mut self) -> Option<StateChange> {
        let status = self.observed().max(self.reported);
        let task_is_new = status > self.reported;
        // Before RUNNING a stop waits for the task's event, as starts do; with nothing left alive
        // the final report follows at once and carries everything.
        let stop_is_new = (self.reported == Known::Running || self.stopping)
            && self
                .containers
                .iter()
                .any(|c| c.was_started && c.is_stopped() && c.reported != Known::Stopped)
            && self.containers.iter().any(ContainerState::is_alive);
        if !task_is_new && !stop_is_new {
            return None;
        }
        let mut containers = Vec::new();
        for c in &mut self.containers {
            c.append_changes(&mut containers);
        }
        self.reported = status;
        Some(StateChange {
            task: self.arn.clone(),
            status,
            reason: self.reason.clone(),
            containers,
            pull_started_ms: self.pull_started_ms,
            pull_stopped_ms: self.pull_stopped_ms,
            execution_stopped_ms: self.execution_stopped_ms,
        })
    }

    /// RUNNING when every container runs or, not being essential, has already ended; STOPPED when
    /// nothing is left here, so that the control plane may hand the task's address and resources
    /// to another.
    fn observed(&self) -> Known {
        if self.is_over() {
            return Known::Stopped;
        }
        let up = !self.stopping
            && self.containers.iter().all(|c| c.is_up() || (!c.spec.essential && c.is_stopped()))
            && self.containers.iter().any(ContainerState::is_up);
        if up { Known::Running } else { Known::Nothing }
    }
}

impl ContainerState {
    fn append_changes(&mut self, out: &mut Vec<ContainerChange>) {
        let change = |c: &ContainerState, status| ContainerChange {
            name: c.spec.name.clone(),
            status,
            runtime_id: c.runtime_id.clone(),
            exit_code: None,
            reason: None,
            image_digest: c.image_digest.clone(),
            bindings: c.bindings.clone(),
        };
        if self.was_started && self.reported < Known::Running {
            out.push(change(self, Known::Running));
            self.reported = Known::Running;
        }
        if self.is_stopped() && self.reported < Known::Stopped {
            let mut last = change(self, Known::Stopped);
            if let Some(exit) = &self.exit {
                last.exit_code = exit.code;
                last.reason.clone_from(&exit.reason);
            }
            out.push(last);
            self.reported = Known::Stopped;
        }
    }
}

impl TaskState {
    /// The whole truth about a task, for a control plane that asks again.
    pub fn last_word(&self) -> StateChange {
        let mut containers = Vec::new();
        for c in &self.containers {
            let mut c = c.clone();
            c.reported = if c.is_stopped() { Known::Running } else { Known::Nothing };
            c.append_changes(&mut containers);
        }
        StateChange {
            task: self.arn.clone(),
            status: self.reported,
            reason: self.reason.clone(),
            containers,
            pull_started_ms: self.pull_started_ms,
            pull_stopped_ms: self.pull_stopped_ms,
            execution_stopped_ms: self.execution_stopped_ms,
        }
    }
}
