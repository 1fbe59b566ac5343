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

#[cfg(test)]
mod tests {
    use super::super::stories::{container, exit, tell_of};
    use super::super::{Found, Observation as O};
    use super::*;

    #[test]
    fn what_is_left_of_a_task_whose_state_was_lost_is_ended_and_removed() {
        let containers = ["runs", "ended", "waits", "gone"].map(|name| container(name, true)).to_vec();
        let state =
            TaskState::unknown(TaskSpec { arn: "t".into(), containers }, "TaskStateError: why".into());
        let ended = Found::Exited { code: Some(5), oom: false, reason: None, at_ms: 0 };
        let found = vec![Found::Running, ended, Found::Created, Found::Nothing];
        let deleted = |container| O::Deleted { container };
        let seen = vec![
            (1, O::Adopted { found }),
            (2, O::Desired(Desired::Running)),
            (3, deleted(1)),
            (3, deleted(2)),
            (3, deleted(3)),
            (4, exit(0, 143)),
            (5, deleted(0)),
            (6, O::NetworkDetached),
        ];
        insta::assert_snapshot!(tell_of(state, seen), @r#"
1: Adopted { found: [Running, Exited { code: Some(5), oom: false, reason: None, at_ms: 0 }, Created, Nothing] }
    Stop { container: 0 }
    SetTimer { timer: Kill { container: 0 }, due_ms: 30001 }
    Delete { container: 1 }
    Delete { container: 2 }
    Delete { container: 3 }
    report PENDING [runs RUNNING] [ended RUNNING] [ended STOPPED exit 5] [waits STOPPED] [gone STOPPED ContainerVanishedError: the container was gone when the agent came back] because TaskStateError: why
2: Desired(Running)
3: Deleted { container: 1 }
3: Deleted { container: 2 }
3: Deleted { container: 3 }
4: Exited { container: 0, code: Some(143), oom: false, reason: None, at_ms: 0 }
    Delete { container: 0 }
5: Deleted { container: 0 }
    DetachNetwork
6: NetworkDetached
    report STOPPED [runs STOPPED exit 143] because TaskStateError: why
over
"#);
    }
}
