//! The life cycle of a task: PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING →
//! STOPPING → DEPROVISIONING → STOPPED (ECS developer guide, "task lifecycle"). It only goes
//! forward, and every state that a task passes is an event with its time.

use super::Draft;
use crate::{
    entity::*,
    event::Event,
    ids::{InstanceId, TaskId},
    key::ClusterKey,
    refusal::Refusal,
};
use std::sync::Arc;

/// The states that a task goes through on its way to `to`, `to` included; none when it is already
/// there or past it. A task that ends before RUNNING has nothing to deactivate, and one that never
/// came to its agent nothing to stop.
pub fn path(from: TaskStatus, to: TaskStatus) -> impl Iterator<Item = TaskStatus> {
    let ending = to > TaskStatus::Running;
    let skipped = move |status: TaskStatus| match status {
        _ if status == to || !ending => false,
        TaskStatus::Deprovisioning | TaskStatus::Stopped => false,
        TaskStatus::Stopping => from == TaskStatus::Provisioning,
        _ => from < TaskStatus::Running,
    };
    TaskStatus::ALL.iter().copied().filter(move |status| *status > from && *status <= to && !skipped(*status))
}

impl Draft {
    /// Moves a task forward to `to`, with all that goes with the states it passes.
    pub(super) fn advance(&mut self, id: TaskId, to: TaskStatus) {
        let Some(from) = self.world.task(id).map(|task| task.last_status) else { return };
        for status in path(from, to) {
            if status == TaskStatus::Stopped {
                self.settle(id);
            }
            self.emit(Event::TaskMoved { task: id, status, at_ms: self.now_ms });
            match status {
                TaskStatus::Pending => {
                    self.emit(Event::TaskConnected { task: id, at_ms: self.now_ms });
                    self.move_attachment(id, AttachmentStatus::Attached);
                }
                TaskStatus::Deprovisioning => self.move_attachment(id, AttachmentStatus::Detaching),
                TaskStatus::Stopped => {
                    self.move_attachment(id, AttachmentStatus::Deleted);
                    self.count_end(id);
                }
                TaskStatus::Provisioning
                | TaskStatus::Activating
                | TaskStatus::Running
                | TaskStatus::Deactivating
                | TaskStatus::Stopping => {}
            }
        }
    }

    pub(super) fn stop_task(
        &mut self,
        cluster: &ClusterKey,
        id: TaskId,
        code: StopCode,
        reason: Arc<str>,
    ) -> Result<(), Refusal> {
        self.world.task_in(cluster, id).ok_or(Refusal::TaskNotFound(id))?;
        self.give_up_retries(id);
        self.request_stop(id, Stop { code, reason });
        Ok(())
    }

    /// Asks the agent to stop a task. What asked first is what the task stopped for. A task that
    /// its agent doesn't know, and can't come to know now, stops at once.
    pub(super) fn request_stop(&mut self, id: TaskId, stop: Stop) {
        let Some(task) = self.world.task(id).cloned() else { return };
        if !task.is_live() || task.desired_status == DesiredStatus::Stopped {
            return;
        }
        self.emit(Event::TaskDesiredStopped { task: id, stop });
        let listening = self.world.instance(task.instance).is_some_and(|instance| instance.agent_connected);
        // A payload may have been sent and its confirmation lost. Then the agent finds the task
        // missing from the manifest of its next session, and stops it by itself.
        match task.acknowledged.is_none() && !listening {
            true => self.advance(id, TaskStatus::Stopped),
            false => self.advance(id, TaskStatus::Stopping),
        }
    }

    /// The task is over, whoever says so; `stop` is why, unless it was asked to stop before.
    pub(super) fn end(&mut self, id: TaskId, stop: Stop) {
        let Some(task) = self.world.task(id).filter(|task| task.is_live()) else { return };
        if task.desired_status == DesiredStatus::Running {
            self.emit(Event::TaskDesiredStopped { task: id, stop });
        }
        self.advance(id, TaskStatus::Stopped);
    }

    /// The agent has confirmed a payload. It may confirm late, or twice.
    pub(super) fn acknowledge(&mut self, instance: InstanceId, tasks: &[(TaskId, DesiredStatus)]) {
        for (id, desired) in tasks {
            if self.world.task(*id).is_some_and(|task| task.instance == instance) {
                self.note_known(*id, *desired);
            }
        }
    }

    /// The agent knows of the task, and that it is to be `desired`.
    pub(super) fn note_known(&mut self, id: TaskId, desired: DesiredStatus) {
        let Some(task) = self.world.task(id).filter(|task| task.is_live()).cloned() else { return };
        // What it can't have been told yet, it can't have confirmed.
        let desired = desired.min(task.desired_status);
        if task.acknowledged < Some(desired) {
            self.emit(Event::TaskAcknowledged { task: id, desired });
        }
        self.advance(id, TaskStatus::Pending);
    }

    pub(super) fn move_attachment(&mut self, id: TaskId, to: AttachmentStatus) {
        let at = self.world.task(id).and_then(|task| task.eni.as_ref()).map(|eni| eni.status);
        if at.is_some_and(|at| at < to) {
            self.emit(Event::AttachmentMoved { task: id, status: to });
        }
    }

    /// No container outlives its task.
    fn settle(&mut self, id: TaskId) {
        let Some(task) = self.world.task(id).cloned() else { return };
        for (index, container) in task.containers.iter().enumerate() {
            if container.last_status != ContainerStatus::Stopped {
                let container = Container { last_status: ContainerStatus::Stopped, ..container.clone() };
                self.emit(Event::ContainerChanged { task: id, index, container });
            }
        }
    }
}
