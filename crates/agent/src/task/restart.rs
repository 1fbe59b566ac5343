//! `restartPolicy`: whether a container that has ended is started again in its place.
//! ECS API reference, ContainerRestartPolicy.

use serde::{Deserialize, Serialize};

use super::state::ContainerState;

/// An enabled policy; a container without one is never restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartPolicy {
    pub ignored_exit_codes: Vec<i32>,
    /// How long it must have run since it was last started, in ms.
    pub attempt_period_ms: u64,
}

impl ContainerState {
    /// Whether its policy lets it be started again. `ended_ms` is when it ended. One whose end could
    /// not be learned isn't, as in the ECS agent: nobody knows what is left of it.
    pub(super) fn may_restart(&self, code: Option<i32>, ended_ms: u64) -> bool {
        let (Some(policy), Some(code), Some(started_ms)) = (&self.spec.restart, code, self.started_ms) else {
            return false;
        };
        !policy.ignored_exit_codes.contains(&code)
            && ended_ms.saturating_sub(started_ms) >= policy.attempt_period_ms
    }
}
