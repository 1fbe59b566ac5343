//! What a `down` owes to the state when it could not be told the server: that the tasks of this machine
//! were to stop, and why. `down` leaves a mark before it removes them; the next start settles it before
//! its agent connects. How each of them ended is the agent's to report, as always: its directory keeps
//! that (`agent::cleanup`).

use anyhow::{Context, Result};
use control::App;
use model::{Command, InstanceId, StopCode};

use crate::data_dir::DataDir;

pub const REASON: &str = "Longshore was taken down";
const MARK: &str = "taken-down";

/// Notes that the machine's containers are about to be removed.
pub fn mark(dir: &DataDir) -> Result<()> {
    let path = dir.join(MARK);
    std::fs::write(&path, b"").with_context(|| format!("write {}", path.display()))
}

/// Says in the state that what was ended on the machine was to end.
pub async fn settle(dir: &DataDir, app: &App, instance: Option<InstanceId>) -> Result<()> {
    let path = dir.join(MARK);
    if !path.exists() {
        return Ok(());
    }
    let world = app.world();
    for task in instance.iter().flat_map(|id| world.live_tasks_on(*id)) {
        let (cluster, id) = (task.cluster.clone(), task.id);
        let stop =
            Command::StopTask { cluster, task: id, code: StopCode::UserInitiated, reason: REASON.into() };
        app.submit(stop).await.with_context(|| format!("stop the task {id}"))?;
        tracing::info!(task = %id, "taken down while the server was not there");
    }
    std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}
