//! Agents without a machine: whatever they are asked comes about.

use model::{
    Command, ContainerStatus, DesiredStatus, Health, HookAction, HookStatus, ServiceKey, Stage, Task, TaskId,
    TaskStatus, World,
    command::{ContainerReport, HookAnswer, ReportedStatus, TaskReport},
    transact,
};
use std::sync::Arc;

/// What the agents of a service's tasks brought about, in tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// They run and, where they have a health check, are HEALTHY.
    pub ready: u32,
    pub ended: u32,
}

/// Each task of the service comes to where it is wanted. Those that run already stay as they are.
pub(super) fn act(world: &mut World, key: &ServiceKey, now_ms: u64) -> Done {
    let tasks = world.live_tasks_of(key).filter(|task| !world.is_given_up(task));
    let tasks: Vec<Arc<Task>> = tasks.cloned().collect();
    let mut done = Done::default();
    for task in tasks {
        match task.desired_status {
            DesiredStatus::Stopped => {
                report(world, &task, ReportedStatus::Stopped, ContainerStatus::Stopped, now_ms);
                done.ended += 1;
            }
            DesiredStatus::Running if task.last_status < TaskStatus::Running => {
                report(world, &task, ReportedStatus::Running, ContainerStatus::Running, now_ms);
                done.ready += u32::from(become_healthy(world, task.id, now_ms));
            }
            DesiredStatus::Running if task.is_checked() && task.health == Health::Unknown => {
                done.ready += u32::from(become_healthy(world, task.id, now_ms));
            }
            DesiredStatus::Running => {}
        }
    }
    done
}

/// Each hook that the service's deployment waits for says that it may go on. At which stage those were, and how many.
pub(super) fn consent(world: &mut World, key: &ServiceKey, now_ms: u64) -> Option<(Stage, u32)> {
    let primary = world.service(key)?.primary().filter(|primary| primary.is_rolling_out())?.clone();
    let lifecycle = primary.lifecycle.as_ref()?;
    let open: Vec<_> = lifecycle.runs.iter().filter(|run| run.is_open(now_ms)).collect();
    for run in &open {
        let (service, id) = (key.clone(), run.id.clone());
        let command = match run.status {
            HookStatus::AwaitingAction => {
                let (deployment, action) = (primary.id.clone(), HookAction::Continue);
                Command::ContinueDeployment { service, deployment, hook: id, action }
            }
            _ => Command::AnswerHook { service, run: id, answer: HookAnswer::Succeeded },
        };
        carry_out(world, &command, now_ms);
    }
    (!open.is_empty()).then_some((lifecycle.stage, open.len() as u32))
}

/// Whether it then counts as healthy.
fn become_healthy(world: &mut World, id: TaskId, now_ms: u64) -> bool {
    let Some(task) = world.task(id) else { return false };
    let checked = task.containers.iter().filter(|container| container.health_checked);
    let containers: Vec<_> = checked.map(|container| (container.name.clone(), Health::Healthy)).collect();
    if !containers.is_empty() {
        carry_out(world, &Command::ReportHealth { task: id, containers }, now_ms);
    }
    world.task(id).is_some_and(|task| task.is_healthy())
}

fn report(world: &mut World, task: &Task, status: ReportedStatus, of_each: ContainerStatus, now_ms: u64) {
    let containers = task.containers.iter().map(|container| ContainerReport {
        name: container.name.clone(),
        status: of_each,
        runtime_id: None,
        exit_code: (of_each == ContainerStatus::Stopped).then_some(0),
        reason: None,
        image_digest: None,
        network_bindings: None,
    });
    let report =
        TaskReport { status: Some(status), containers: containers.collect(), ..TaskReport::default() };
    carry_out(world, &Command::ReportTask { cluster: task.cluster.clone(), task: task.id, report }, now_ms);
}

/// A report about a task that there is isn't refused; if one were, the task would stay as it is.
fn carry_out(world: &mut World, command: &Command, now_ms: u64) {
    let _ = transact(world, command, now_ms);
}
