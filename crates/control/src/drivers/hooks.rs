//! Asks the lifecycle hooks of deployments. Which are due follows from the world alone (`plan::hooks`), and what they
//! answer is committed: a restart asks those again that have not answered. So a hook may be asked twice, with the same
//! `executionId`.

mod answer;
mod payload;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{Command, Event, Service};
use plan::hooks::Call;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::App;

/// The world is looked at that often, whatever woke or didn't.
const SWEEP: Duration = Duration::from_secs(60);
/// What couldn't be committed is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut changes = app.writer.follow();
    let client = answer::client();
    let mut calls: JoinSet<Arc<str>> = JoinSet::new();
    let mut asked: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut next = Instant::now();
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) if !concerns(&change.events) => continue,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            Some(done) = calls.join_next() => match done {
                Ok(run) => { asked.remove(&run); }
                // Whose it was isn't known.
                Err(_) => asked.clear(),
            },
            () = tokio::time::sleep_until(next) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let now_ms = app.now_ms();
        let due = plan::hooks(&app.world(), now_ms);
        for call in due.calls {
            if asked.insert(call.run.clone()) {
                calls.spawn(ask(app.clone(), client.clone(), call));
            }
        }
        let wake = due.wake_at_ms.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)));
        next = Instant::now() + wake.map_or(SWEEP, |wake| wake.min(SWEEP));
    }
}

/// Whether a service with lifecycle stages changed. Without events anything may have happened.
fn concerns(events: &[Event]) -> bool {
    let staged = |service: &Service| service.stage().is_some();
    events.is_empty()
        || events.iter().any(|event| match event {
            Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) => staged(service),
            _ => false,
        })
}

/// The run that was asked for.
async fn ask(app: Arc<App>, client: Option<reqwest::Client>, call: Call) -> Arc<str> {
    let answer = answer::of(client.as_ref(), &call).await;
    tracing::debug!(service = %call.service, stage = %call.stage, ?answer, "a lifecycle hook answered");
    let command = Command::AnswerHook { service: call.service, run: call.run.clone(), answer };
    if let Err(error) = app.submit(command).await {
        tracing::warn!(%error, "a lifecycle hook's answer wasn't stored; it is asked again");
        tokio::time::sleep(RETRY).await;
    }
    call.run
}
