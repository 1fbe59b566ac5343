//! Tasks that run to their end: their deadlines, and further attempts of those that failed.

use super::Draft;
use crate::{command::NewTask, entity::*, event::Event, ids::TaskId, refusal::Refusal};

impl Draft {
    pub(super) fn time_out(&mut self, id: TaskId) {
        let Some(task) = self.world.task(id).cloned() else { return };
        let due = task.deadline_ms().is_some_and(|at_ms| at_ms <= self.now_ms);
        let Some(run) = task.run.as_deref().cloned().filter(|_| due) else { return };
        let seconds = run.timeout_ms.unwrap_or_default().div_ceil(1000);
        self.emit(Event::TaskRunChanged { task: id, run: Run { timed_out: true, ..run }.into() });
        let reason =
            format!("Task was stopped because it ran longer than its longshore:timeout of {seconds} s")
                .into();
        self.request_stop(id, Stop { code: StopCode::UserInitiated, reason });
    }

    /// In the same commit as the mark that it was made, so each attempt follows once.
    pub(super) fn retry(&mut self, of: TaskId, new: &NewTask) -> Result<(), Refusal> {
        let Some(old) = self.world.task(of).cloned().filter(|task| task.retry_at_ms().is_some()) else {
            return Ok(());
        };
        let Some(run) = old.run.as_deref().cloned() else { return Ok(()) };
        self.start(new)?;
        self.emit(Event::TaskRunChanged { task: of, run: Run { next: Some(new.id), ..run }.into() });
        Ok(())
    }

    /// A user who stops a task means the attempts that were to follow too, also when it has ended already.
    pub(super) fn give_up_retries(&mut self, id: TaskId) {
        let Some(run) = self.world.task(id).and_then(|task| task.run.as_deref().cloned()) else { return };
        if run.retries == 0 || run.next.is_some() {
            return;
        }
        self.emit(Event::TaskRunChanged { task: id, run: Run { retries: 0, ..run }.into() });
    }
}
