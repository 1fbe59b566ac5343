//! Forgets what is over: stopped tasks after the retention, expired tokens, INACTIVE leftovers.

use std::sync::Arc;
use std::time::Duration;

use model::Command;
use tokio::sync::watch;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(60);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        loop {
            let over = plan::reap(&app.world(), app.now_ms(), app.config.stopped_task_retention_ms);
            if over.is_empty() {
                break;
            }
            if let Err(error) = app.submit(Command::Forget(over)).await {
                tracing::warn!(%error, "what is over could not be forgotten");
                break;
            }
        }
    }
}
