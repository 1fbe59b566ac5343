//! Gives up machines that have been away for too long, so that services replace what they ran (`plan::lost`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;

/// Between two looks: machines are lost for minutes.
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        for command in plan::lost(&app.world(), app.now_ms(), app.config.lost_after_ms) {
            if let Err(error) = app.submit(command).await {
                tracing::warn!(%error, "a lost machine could not be given up");
                break;
            }
        }
    }
}
