use super::{PlacementConstraint, PlacementStrategy, StopCode, Task};
use crate::ids::TaskId;
use serde::{Deserialize, Serialize};

/// The wait before the second attempt; it doubles from one to the next, up to [`LONGEST_MS`].
const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 300_000;

/// What a task that is to run to its end was asked for beside what ECS knows, and what became of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    /// So long may each attempt take, from when it is asked for: one that never starts ends too.
    pub timeout_ms: Option<u64>,
    /// Attempts that may follow this one.
    pub retries: u32,
    /// 1 for the first.
    pub attempt: u32,
    /// Where further attempts may be, and would best be.
    #[serde(default)]
    pub constraints: Vec<PlacementConstraint>,
    #[serde(default)]
    pub strategy: Vec<PlacementStrategy>,
    /// It was stopped because its time was over.
    #[serde(default)]
    pub timed_out: bool,
    /// The attempt that followed.
    #[serde(default)]
    pub next: Option<TaskId>,
}

impl Run {
    /// The attempt after this one.
    pub fn again(&self) -> Run {
        Run {
            retries: self.retries.saturating_sub(1),
            attempt: self.attempt.saturating_add(1),
            timed_out: false,
            next: None,
            ..self.clone()
        }
    }

    fn wait_ms(&self) -> u64 {
        FIRST_MS.saturating_mul(1 << self.attempt.saturating_sub(1).min(20)).min(LONGEST_MS)
    }
}

impl Task {
    /// When its time is over (milliseconds since the epoch), while it is wanted.
    pub fn deadline_ms(&self) -> Option<u64> {
        let wanted = self.is_live() && self.stop.is_none();
        let timeout_ms = self.run.as_ref().filter(|_| wanted)?.timeout_ms?;
        Some(self.created_at_ms.saturating_add(timeout_ms))
    }

    /// From when on another attempt is due, if one is to follow and hasn't.
    pub fn retry_at_ms(&self) -> Option<u64> {
        let open = |run: &&Run| run.retries > 0 && run.next.is_none();
        let run = self.run.as_deref().filter(open).filter(|run| self.has_failed(run))?;
        Some(self.stopped_at_ms?.saturating_add(run.wait_ms()))
    }

    /// It came to an end, and not to the one that was meant. A user who stops it means that.
    fn has_failed(&self, run: &Run) -> bool {
        let code = self.stop.as_ref().map(|stop| stop.code);
        let failed = |container: &super::Container| container.essential && container.exit_code != Some(0);
        match code {
            Some(StopCode::TaskFailedToStart | StopCode::SpotInterruption | StopCode::TerminationNotice) => {
                true
            }
            Some(StopCode::EssentialContainerExited) => self.containers.iter().any(failed),
            _ => run.timed_out,
        }
    }
}
