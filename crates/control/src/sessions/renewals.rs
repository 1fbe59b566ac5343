//! When the agent needs new credentials of which tasks. Pure.
//!
//! Clients in a container fetch new ones when those that they have end within a quarter of an hour or so; by then the
//! agent must have them.

use std::collections::{BTreeMap, BTreeSet};

use model::TaskId;

use crate::task_keys::LIFETIME_MS;

/// So long after they were given, credentials are given anew: half of their time is left for a session that breaks.
const AFTER_MS: u64 = LIFETIME_MS / 2;

#[derive(Debug, Default)]
pub(crate) struct Renewals {
    at: BTreeMap<TaskId, u64>,
    wanted: BTreeSet<TaskId>,
}

impl Renewals {
    /// The agent was given credentials of the task.
    pub(crate) fn given(&mut self, task: TaskId, now_ms: u64) {
        self.at.insert(task, now_ms + AFTER_MS);
    }

    /// The agent has forgotten what it was given of the task: it is due at once.
    pub(crate) fn wanted(&mut self, task: TaskId) {
        self.wanted.insert(task);
    }

    /// The tasks whose credentials are to be renewed. Each is named once: it is given new ones, or is over.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<TaskId> {
        let mut due = std::mem::take(&mut self.wanted);
        due.extend(self.at.iter().filter(|(_, at)| **at <= now_ms).map(|(task, _)| *task));
        self.at.retain(|task, _| !due.contains(task));
        due.into_iter().collect()
    }

    pub(crate) fn wake_at_ms(&self) -> Option<u64> {
        self.at.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_well_before_they_end() {
        let mut renewals = Renewals::default();
        assert_eq!(renewals.wake_at_ms(), None);
        renewals.given(TaskId(1), 0);
        renewals.given(TaskId(2), 1000);
        let at = renewals.wake_at_ms().unwrap();
        assert!(at + 15 * 60 * 1000 < LIFETIME_MS);
        assert!(renewals.due(at - 1).is_empty());
        assert_eq!(renewals.due(at), [TaskId(1)]);
        assert!(renewals.due(at).is_empty(), "it is on its way");
        renewals.given(TaskId(1), at);
        assert_eq!(renewals.due(at + AFTER_MS), [TaskId(1), TaskId(2)]);
        renewals.wanted(TaskId(3));
        renewals.given(TaskId(3), at);
        assert_eq!(renewals.due(at), [TaskId(3)], "whatever a payload held");
    }
}
