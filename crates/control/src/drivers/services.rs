//! Keeps services at what they promise. Commits say which services to look at; what a look decides is
//! `plan::reconcile`'s business, and follows from the world alone, so a missed wake-up loses nothing.

mod agenda;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use model::{Command, Refusal, ServiceKey};
use plan::{Memory, reconcile};
use tokio::sync::{broadcast, watch};

use agenda::Agenda;

use crate::app::App;
use crate::writer::{Change, SubmitError};

/// All services are looked at that often, whatever woke or didn't.
const SWEEP: Duration = Duration::from_secs(60);
/// A service whose step couldn't be committed is tried again after this.
const RETRY_MS: u64 = 500;
/// And after this while the store takes no commit: a full disk isn't emptied by asking often.
const STORE_RETRY_MS: u64 = 5_000;

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut changes = app.writer.follow();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut agenda = Agenda::default();
    let mut memory = Memory::default();
    loop {
        let wait = agenda.next_at_ms().map(|at_ms| Duration::from_millis(at_ms.saturating_sub(app.now_ms())));
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => agenda.note(&app, &change),
                Err(broadcast::error::RecvError::Lagged(_)) => agenda.note_all(&app),
                Err(broadcast::error::RecvError::Closed) => return,
            },
            () = tokio::time::sleep(wait.unwrap_or(SWEEP)), if wait.is_some() => {}
            _ = sweep.tick() => agenda.note_all(&app),
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // What has piled up meanwhile is looked at once.
        loop {
            match changes.try_recv() {
                Ok(change) => agenda.note(&app, &change),
                // Said once only: whoever ignores it doesn't learn what was missed.
                Err(broadcast::error::TryRecvError::Lagged(_)) => agenda.note_all(&app),
                Err(_) => break,
            }
        }
        for key in agenda.take_due(app.now_ms()) {
            look(&app, &key, &mut agenda, &mut memory).await;
        }
    }
}

async fn look(app: &App, key: &ServiceKey, agenda: &mut Agenda, memory: &mut Memory) {
    let (world, now_ms) = (app.world(), app.now_ms());
    // A planner that panics over one service must not end the care for all others. It is pure: what it
    // leaves behind is dropped.
    let plan = || reconcile::remembering(memory, &world, key, now_ms, app.seed());
    let Ok(plan) = catch_unwind(AssertUnwindSafe(plan)) else {
        *memory = Memory::default();
        tracing::error!(service = %key, "planning panicked; the service is tried again with the next sweep");
        return;
    };
    let Some(plan) = plan else { return };
    if let Some(at_ms) = plan.wake_at_ms {
        agenda.at(at_ms, key.clone());
    }
    let Some(step) = plan.step else { return };
    tracing::debug!(service = %key, starts = step.starts.len(), stops = step.stops.len(), "service step");
    match app.submit(Command::ServiceStep(Box::new(step))).await {
        Ok(_) => {}
        // The world moved on: look at it as it is now.
        Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
            tracing::debug!(service = %key, %stale, "plan again");
            agenda.at(now_ms, key.clone());
        }
        // The writer has told it.
        Err(error @ (SubmitError::Store(_) | SubmitError::Broken(_))) => {
            tracing::debug!(service = %key, %error, "a service's step wasn't stored");
            agenda.at(now_ms + STORE_RETRY_MS, key.clone());
        }
        Err(error) => {
            tracing::warn!(service = %key, %error, "a service's step failed");
            agenda.at(now_ms + RETRY_MS, key.clone());
        }
    }
}

impl Agenda {
    fn note(&mut self, app: &App, change: &Change) {
        if change.events.is_empty() {
            return self.note_all(app);
        }
        self.now(reconcile::concerned(&app.world(), &change.events));
    }

    fn note_all(&mut self, app: &App) {
        self.now(app.world().all_services().map(|service| service.key.clone()));
    }
}

#[cfg(test)]
mod tests;
