//! Ends tasks whose time is over, and makes further attempts of those that failed. What is due follows from the world
//! alone (`plan::runs`), so a restart misses none.

use std::sync::Arc;
use std::time::Duration;

use model::{Event, Refusal, TaskStatus, World};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::app::App;
use crate::writer::SubmitError;

/// The world is looked at that often, whatever woke or didn't.
const SWEEP: Duration = Duration::from_secs(60);
/// What couldn't be committed is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut changes = app.writer.follow();
    let mut next = Instant::now();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) if !concerns(&app.world(), &change.events) => continue,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            () = tokio::time::sleep_until(next) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        next = Instant::now() + look(&app).await;
    }
}

/// Whether something is due at another time than was known: such a task came, ended or was changed. Without events
/// anything may have happened.
fn concerns(world: &World, events: &[Event]) -> bool {
    let runs = |event: &Event| match event {
        Event::TaskCreated(task) => task.run.is_some(),
        Event::TaskMoved { task, status: TaskStatus::Stopped, .. } => {
            world.task(*task).is_some_and(|task| task.run.is_some())
        }
        Event::TaskRunChanged { .. } => true,
        _ => false,
    };
    events.is_empty() || events.iter().any(runs)
}

/// Until when nothing is due by itself.
async fn look(app: &App) -> Duration {
    let now_ms = app.now_ms();
    let plan = plan::runs(&app.world(), now_ms, app.seed());
    for command in plan.commands {
        match app.submit(command).await {
            Ok(_) => {}
            // The place is gone: the next look finds another one.
            Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
                tracing::debug!(%stale, "plan again");
                return RETRY;
            }
            Err(error) => {
                tracing::warn!(%error, "a task's deadline or retry could not be carried out");
                return RETRY;
            }
        }
    }
    let wake = plan.wake_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)));
    wake.map_or(SWEEP, |wake| wake.min(SWEEP))
}
