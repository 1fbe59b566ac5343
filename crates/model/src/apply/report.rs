//! What agents tell. They tell it at least once, perhaps late: a report that says nothing new
//! changes nothing, and none goes backwards (RUNNING after STOPPED).

use super::{Draft, why};
use crate::{
    command::{ContainerReport, ReportedStatus, TaskReport},
    entity::*,
    event::{Event, TaskTimes},
    ids::{InstanceId, TaskId, Uuid},
    key::ClusterKey,
    refusal::Refusal,
};
use std::sync::Arc;

impl Draft {
    pub(super) fn report_task(
        &mut self,
        cluster: &ClusterKey,
        id: TaskId,
        report: &TaskReport,
    ) -> Result<(), Refusal> {
        let task = self.world.task_in(cluster, id).ok_or(Refusal::TaskNotFound(id))?;
        if !task.is_live() {
            return Ok(());
        }
        for (attachment, status) in &report.attachments {
            self.report_attachment(None, *attachment, *status);
        }
        let only_attachments = report.status.is_none() && report.containers.is_empty();
        if !only_attachments {
            // Whoever reports a task has it, even if the confirmation was lost.
            self.note_known(id, DesiredStatus::Running);
        }
        self.take_times(id, report);
        self.take_short_life(id, report);
        for container in &report.containers {
            self.take_container(id, container);
        }
        match report.status {
            Some(ReportedStatus::Running) => self.take_running(id),
            Some(ReportedStatus::Stopped) => self.take_stopped(id, report.reason.as_deref()),
            Some(ReportedStatus::Pending) | None => {}
        }
        self.stop_if_essential_exited(id);
        Ok(())
    }

    pub(super) fn report_container(
        &mut self,
        cluster: &ClusterKey,
        id: TaskId,
        report: &ContainerReport,
    ) -> Result<(), Refusal> {
        let report = TaskReport { containers: vec![report.clone()], ..TaskReport::default() };
        self.report_task(cluster, id, &report)
    }

    pub(super) fn report_attachment(
        &mut self,
        instance: Option<InstanceId>,
        attachment: Uuid,
        status: AttachmentStatus,
    ) {
        let Some(task) = self.world.task_with_attachment(attachment) else { return };
        if task.is_live() && instance.is_none_or(|instance| instance == task.instance) {
            self.move_attachment(task.id, status);
        }
    }

    /// A task is as healthy as those of its essential containers that have a check
    /// (ECS developer guide, "container health checks").
    pub(super) fn report_health(
        &mut self,
        id: TaskId,
        reports: &[(Arc<str>, Health)],
    ) -> Result<(), Refusal> {
        let task = self.world.task(id).cloned().ok_or(Refusal::TaskNotFound(id))?;
        if !task.is_live() {
            return Ok(());
        }
        for (name, health) in reports {
            let known = task.containers.iter().enumerate().find(|(_, container)| container.name == *name);
            if let Some((index, container)) = known.filter(|(_, container)| container.health != *health) {
                let container = Container { health: *health, ..container.clone() };
                self.emit(Event::ContainerChanged { task: id, index, container });
            }
        }
        let Some(task) = self.world.task(id) else { return Ok(()) };
        let checked: Vec<Health> =
            task.containers.iter().filter(|c| c.essential && c.health_checked).map(|c| c.health).collect();
        let health = if checked.contains(&Health::Unhealthy) {
            Health::Unhealthy
        } else if checked.is_empty() || checked.contains(&Health::Unknown) {
            Health::Unknown
        } else {
            Health::Healthy
        };
        if task.health != health {
            self.emit(Event::TaskHealthChanged { task: id, health });
            if health == Health::Healthy {
                self.count_healthy(id);
            }
        }
        Ok(())
    }

    /// Each time is told once and then stands.
    fn take_times(&mut self, id: TaskId, report: &TaskReport) {
        let Some(task) = self.world.task(id) else { return };
        let new = |known: Option<u64>, told: Option<u64>| if known.is_none() { told } else { None };
        let times = TaskTimes {
            pull_started_at_ms: new(task.pull_started_at_ms, report.pull_started_at_ms),
            pull_stopped_at_ms: new(task.pull_stopped_at_ms, report.pull_stopped_at_ms),
            execution_stopped_at_ms: new(task.execution_stopped_at_ms, report.execution_stopped_at_ms),
        };
        if times != TaskTimes::default() {
            self.emit(Event::TaskTimed { task: id, times });
        }
    }

    /// One report may tell of a whole short life: the task was RUNNING for a part of it if every essential container
    /// ran. Then that comes first, so that whoever follows it sees it run.
    fn take_short_life(&mut self, id: TaskId, report: &TaskReport) {
        let stopped = |said: &ContainerReport| said.status == ContainerStatus::Stopped;
        if report.status != Some(ReportedStatus::Stopped) && !report.containers.iter().any(stopped) {
            return;
        }
        let unasked = |task: &&Arc<Task>| {
            task.desired_status == DesiredStatus::Running && task.last_status < TaskStatus::Running
        };
        let Some(task) = self.world.task(id).filter(unasked).cloned() else { return };
        let mut after = task.containers.clone();
        for said in &report.containers {
            let known = after.iter_mut().find(|container| container.name == said.name);
            known.into_iter().for_each(|container| *container = told(container, said));
        }
        let exited = |c: &Container| c.essential && c.last_status == ContainerStatus::Stopped;
        let over = report.status == Some(ReportedStatus::Stopped) || after.iter().any(exited);
        let mut essential = after.iter().filter(|container| container.essential).peekable();
        if !over || essential.peek().is_none() || !essential.all(why::ran) {
            return;
        }
        for (index, container) in after.into_iter().enumerate().filter(|(_, container)| why::ran(container)) {
            let last_status = ContainerStatus::Running;
            let container = Container { last_status, exit_code: None, reason: None, ..container };
            if container != task.containers[index] {
                self.emit(Event::ContainerChanged { task: id, index, container });
            }
        }
        self.advance(id, TaskStatus::Running);
    }

    fn take_container(&mut self, id: TaskId, report: &ContainerReport) {
        let Some(task) = self.world.task(id) else { return };
        let Some((index, old)) = task.containers.iter().enumerate().find(|(_, c)| c.name == report.name)
        else {
            return;
        };
        let new = told(old, report);
        if new != *old {
            self.emit(Event::ContainerChanged { task: id, index, container: new });
        }
    }

    fn take_running(&mut self, id: TaskId) {
        if self.world.task(id).is_some_and(|task| task.desired_status == DesiredStatus::Running) {
            self.advance(id, TaskStatus::Running);
        }
    }

    fn take_stopped(&mut self, id: TaskId, reason: Option<&str>) {
        let Some(task) = self.world.task(id) else { return };
        if task.execution_stopped_at_ms.is_none() {
            let times = TaskTimes { execution_stopped_at_ms: Some(self.now_ms), ..TaskTimes::default() };
            self.emit(Event::TaskTimed { task: id, times });
        }
        let stop = self.world.task(id).map(|task| why::explain(task, reason));
        if let Some(stop) = stop {
            self.end(id, stop);
        }
    }

    /// The others must go too, though the agent has already begun with it by itself.
    fn stop_if_essential_exited(&mut self, id: TaskId) {
        let Some(task) = self.world.task(id) else { return };
        let exited = |c: &Container| c.essential && c.last_status == ContainerStatus::Stopped;
        if task.desired_status == DesiredStatus::Running && task.containers.iter().any(exited) {
            let stop = why::explain(task, None);
            self.request_stop(id, stop);
        }
    }
}

/// The container with what a report says of it. What is known already stands, and no state comes back.
fn told(old: &Container, report: &ContainerReport) -> Container {
    let mut new = old.clone();
    if report.status < old.last_status {
        return new;
    }
    new.last_status = report.status;
    new.runtime_id = new.runtime_id.or_else(|| report.runtime_id.clone());
    // The official agent tells RUNNING with the exit code of a container that has ended since.
    if report.status == ContainerStatus::Stopped {
        new.exit_code = new.exit_code.or(report.exit_code);
    }
    new.reason = new.reason.or_else(|| report.reason.clone().filter(|reason| !reason.is_empty()));
    new.image_digest = new.image_digest.or_else(|| report.image_digest.clone());
    new.network_bindings = new.network_bindings.or_else(|| report.network_bindings.clone());
    new
}
