//! What can be seen, and what can be done about it.

use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::report::StateChange;
use super::state::Desired;

/// Something that was learned about the task. Containers are named by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A payload named the task with this desired status.
    Desired(Desired),
    /// The agent refuses to run it, or to let it run on, for a reason that the control plane is told.
    Refused {
        reason: String,
    },
    /// The ports of the machine that each container has got, in their order. Comes before NetworkAttached.
    PortsBound {
        bindings: Vec<Vec<Binding>>,
    },
    NetworkAttached,
    NetworkFailed {
        reason: String,
    },
    NetworkDetached,
    Pulled {
        container: usize,
        digest: String,
    },
    PullFailed {
        container: usize,
        reason: String,
    },
    Created {
        container: usize,
        runtime_id: String,
    },
    CreateFailed {
        container: usize,
        reason: String,
    },
    Started {
        container: usize,
    },
    StartFailed {
        container: usize,
        reason: String,
    },
    /// `code` is absent when the shim was killed and left no record. `reason` words that. `at_ms` is
    /// when the process ended, by the shim's clock; 0 when that is not known.
    Exited {
        container: usize,
        code: Option<i32>,
        oom: bool,
        reason: Option<String>,
        at_ms: u64,
    },
    Restarted {
        container: usize,
    },
    RestartFailed {
        container: usize,
        reason: String,
    },
    /// The health check's run of this number has ended.
    Checked {
        container: usize,
        run: u64,
        passed: bool,
    },
    Deleted {
        container: usize,
    },
    Due(Timer),
    /// After a restart of the agent: what was found of each container, in their order.
    Adopted {
        found: Vec<Found>,
    },
}

/// What is left of a container after the agent was away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Created,
    Running,
    Exited { code: Option<i32>, oom: bool, reason: Option<String>, at_ms: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// stopTimeout is over: SIGKILL.
    Kill { container: usize },
    /// startTimeout is over: what waits for the container waits no longer.
    Start { container: usize },
    /// The health check is to be run.
    Check { container: usize },
}

/// Something to do. Each is carried out idempotently: after a crash it may be asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    AttachNetwork,
    Pull {
        container: usize,
    },
    Create {
        container: usize,
    },
    Start {
        container: usize,
    },
    /// The container's own stop signal (SIGTERM unless the image says otherwise).
    Stop {
        container: usize,
    },
    /// SIGKILL.
    Kill {
        container: usize,
    },
    /// Start the container again that has ended, in its place.
    Restart {
        container: usize,
    },
    /// Run its health check; after `timeout_ms` it has failed. `run` only names the result.
    Check {
        container: usize,
        run: u64,
        timeout_ms: u64,
    },
    /// Remove the container's process, root file system and bundle, whatever their state.
    Delete {
        container: usize,
    },
    DetachNetwork,
    SetTimer {
        timer: Timer,
        due_ms: u64,
    },
    Report(StateChange),
}
