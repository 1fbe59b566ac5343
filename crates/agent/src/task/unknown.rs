//! Tasks that were here and of whose course nothing, or not all that is needed, is known any more.

use super::state::{Desired, NetworkPhase, Phase, TaskSpec, TaskState};

impl TaskState {
    /// The state of a task whose own can't be read: it is to end, whatever is left of it. Of each container anything
    /// may be there; [`Adopted`](super::Observation::Adopted) tells, and goes on from there.
    pub fn unknown(spec: TaskSpec, reason: String) -> Self {
        let mut state = TaskState::new(spec).given_up(reason);
        state.network = NetworkPhase::Attached;
        for container in &mut state.containers {
            container.phase = Phase::Running;
        }
        state
    }

    /// The same task, to be ended for a reason that the control plane is told, unless it is ending already.
    pub fn given_up(mut self, reason: String) -> Self {
        if !self.stopping {
            self.stopping = true;
            self.desired = Desired::Stopped;
            self.reason = Some(reason);
        }
        self
    }
}
