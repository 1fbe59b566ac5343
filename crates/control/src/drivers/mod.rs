//! What goes on without being asked. Each driver wakes from commits or a timer, takes a snapshot, lets
//! a planner decide, and submits what it decided. None keeps state that a restart would miss.

mod hooks;
mod lost;
mod pushes;
mod reaper;
mod runs;
mod services;

use std::sync::Arc;

use model::command::ClusterChange;
use model::{Command, Tags};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::pushes::SharedPushes;
use crate::writer::SubmitError;

/// Starts them all. They end when `stop` turns true.
pub(crate) fn start(
    app: &Arc<App>,
    pushes: SharedPushes,
    stop: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(hooks::run(app.clone(), stop.clone())),
        tokio::spawn(lost::run(app.clone(), stop.clone())),
        tokio::spawn(pushes::run(app.clone(), pushes, stop.clone())),
        tokio::spawn(reaper::run(app.clone(), stop.clone())),
        tokio::spawn(runs::run(app.clone(), stop.clone())),
        tokio::spawn(services::run(app.clone(), stop.clone())),
    ]
}

/// Calls that name no cluster mean `default`: it is there from the first start.
pub(crate) async fn ensure_default_cluster(app: &Arc<App>) -> Result<(), SubmitError> {
    let key = app.config.home().cluster(crate::ecs::reference::DEFAULT_CLUSTER);
    if app.world().cluster(&key).is_none() {
        let create = Command::CreateCluster { key, change: ClusterChange::default(), tags: Tags::default() };
        app.submit(create).await?;
    }
    Ok(())
}
