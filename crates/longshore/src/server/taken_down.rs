//! What a `down` owes to the state when it could not be told the server: the tasks of this machine are
//! over. `down` leaves a mark before it removes them; the next start settles it before its agent
//! connects. Otherwise the agent, which knows nothing of them any more, would be sent them again, and a
//! task would run twice.

use anyhow::{Context, Result};
use control::App;
use model::command::{ContainerReport, ReportedStatus, TaskReport};
use model::{Command, ContainerStatus, InstanceId, StopCode, Task};

use crate::data_dir::DataDir;

pub const REASON: &str = "Longshore was taken down";
const MARK: &str = "taken-down";
/// 128 and the signal's number.
const KILLED: i32 = 137;

/// Notes that the machine's containers are about to be removed.
pub fn mark(dir: &DataDir) -> Result<()> {
    let path = dir.join(MARK);
    std::fs::write(&path, b"").with_context(|| format!("write {}", path.display()))
}

/// Ends in the state what was ended on the machine.
pub async fn settle(dir: &DataDir, app: &App, instance: Option<InstanceId>) -> Result<()> {
    let path = dir.join(MARK);
    if !path.exists() {
        return Ok(());
    }
    let world = app.world();
    for task in instance.iter().flat_map(|id| world.live_tasks_on(*id)) {
        for command in ending(task, app.now_ms()) {
            app.submit(command).await.with_context(|| format!("end the task {}", task.id))?;
        }
        tracing::info!(task = %task.id, "ended while the server was not there");
    }
    std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

fn ending(task: &Task, now_ms: u64) -> [Command; 2] {
    let containers = task.containers.iter().map(|container| ContainerReport {
        name: container.name.clone(),
        status: ContainerStatus::Stopped,
        runtime_id: None,
        exit_code: (container.last_status == ContainerStatus::Running).then_some(KILLED),
        reason: None,
        image_digest: None,
        network_bindings: None,
    });
    let report = TaskReport {
        status: Some(ReportedStatus::Stopped),
        containers: containers.filter(|of| is_news(task, of)).collect(),
        execution_stopped_at_ms: Some(now_ms),
        ..TaskReport::default()
    };
    let (cluster, id) = (task.cluster.clone(), task.id);
    let stop = Command::StopTask {
        cluster: cluster.clone(),
        task: id,
        code: StopCode::UserInitiated,
        reason: REASON.into(),
    };
    [stop, Command::ReportTask { cluster, task: id, report }]
}

/// What its agent told of a container's end before stays.
fn is_news(task: &Task, report: &ContainerReport) -> bool {
    task.container(&report.name).is_none_or(|container| container.last_status != ContainerStatus::Stopped)
}
