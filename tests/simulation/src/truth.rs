//! What really runs, whoever knows of it.

use std::collections::BTreeMap;

use anyhow::ensure;
use model::{InstanceId, TaskId};

#[derive(Debug, Default)]
pub struct Truth {
    started: BTreeMap<TaskId, InstanceId>,
    running: BTreeMap<TaskId, InstanceId>,
}

impl Truth {
    /// A task's container starts once in its life, on one machine.
    pub fn starts(&mut self, task: TaskId, on: InstanceId) -> anyhow::Result<()> {
        let before = self.started.insert(task, on);
        ensure!(before.is_none(), "task {task} starts on {on} and has started on {before:?}");
        self.running.insert(task, on);
        Ok(())
    }

    pub fn ends(&mut self, task: TaskId) {
        self.running.remove(&task);
    }

    pub fn running(&self) -> impl Iterator<Item = (TaskId, InstanceId)> {
        self.running.iter().map(|(task, on)| (*task, *on))
    }

    pub fn runs(&self, task: TaskId) -> bool {
        self.running.contains_key(&task)
    }
}
