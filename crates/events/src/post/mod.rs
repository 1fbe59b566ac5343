//! Brings events to their targets. `lanes` says what may be tried now (pure), `judge` what comes of an attempt (pure).
//!
//! Deliveries about one thing to one target go in their order: a later one waits for the one before it. Things and
//! targets don't wait for each other.

mod judge;
mod lanes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use wire::events::Target;

use crate::clock::Clock;
use crate::state::{Catalog, Change, Delivery, Settled, State};
use crate::targets::Postman;
use lanes::{Lane, Lanes};

/// What came of an attempt is recorded; where the store doesn't take it, it is tried again after this.
const RECORD_AGAIN: Duration = Duration::from_secs(1);
/// The clock is looked at that often, whatever is due.
const LOOK: Duration = Duration::from_secs(60);

/// Delivers until `stop` turns true.
pub(crate) async fn run(catalog: Catalog, postman: Postman, clock: Clock, mut stop: watch::Receiver<bool>) {
    let postman = Arc::new(postman);
    let mut revision = catalog.revision();
    let mut lanes = Lanes::default();
    let mut attempts: JoinSet<(u64, Option<u64>)> = JoinSet::new();
    let mut known = None;
    loop {
        revision.mark_unchanged();
        let state = catalog.state();
        take_new(&state, &mut known, &mut lanes);
        for number in lanes.take(clock.now_ms()) {
            let (catalog, postman, clock) = (catalog.clone(), postman.clone(), clock.clone());
            attempts.spawn(async move { (number, attempt(&catalog, &postman, &clock, number).await) });
        }
        let now_ms = clock.now_ms();
        let wait =
            lanes.due_ms().map_or(LOOK, |due| Duration::from_millis(due.saturating_sub(now_ms)).min(LOOK));
        tokio::select! {
            changed = revision.changed() => if changed.is_err() { return },
            Some(done) = attempts.join_next() => match done {
                Ok((number, again)) => lanes.done(number, again),
                // Its lane stays shut: what panicked once would again. A restart tries it once more.
                Err(error) => tracing::error!(%error, "an attempt to deliver an event ended early"),
            },
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

fn take_new(state: &State, known: &mut Option<u64>, lanes: &mut Lanes) {
    let from = known.map_or(0, |known| known + 1);
    for (number, delivery) in state.deliveries.range(from..) {
        lanes.add(*number, lane(delivery), delivery.due_ms);
        *known = Some(*number);
    }
}

fn lane(delivery: &Delivery) -> Lane {
    Lane { rule: delivery.rule.clone(), target: delivery.target.clone(), about: delivery.about.clone() }
}

/// One attempt, recorded. When the next one is due, if there is one.
async fn attempt(catalog: &Catalog, postman: &Postman, clock: &Clock, number: u64) -> Option<u64> {
    let state = catalog.state();
    let delivery = state.deliveries.get(&number)?.clone();
    let settled = match target(&state, &delivery) {
        // It was removed meanwhile.
        None => Settled::Over,
        Some(target) if judge::is_expired(&delivery, target, clock.now_ms()) => {
            judge::expired(&delivery, target)
        }
        Some(target) => {
            let outcome = postman.deliver(number, &delivery, target).await;
            judge::settle(&delivery, target, outcome, clock.now_ms(), rand::random())
        }
    };
    tell(&delivery, &settled);
    while let Err(error) = catalog.change(Change::Settle(number, settled.clone())).await {
        tracing::debug!(%error, number, "what came of a delivery isn't recorded yet");
        tokio::time::sleep(RECORD_AGAIN).await;
    }
    match settled {
        Settled::Over => None,
        Settled::Again { due_ms, .. } => Some(due_ms),
        Settled::Dead(_) => Some(0),
    }
}

fn target<'s>(state: &'s State, delivery: &Delivery) -> Option<&'s Target> {
    let targets: &BTreeMap<String, Target> = &state.rules.get(&delivery.rule)?.targets;
    targets.get(&delivery.target)
}

fn tell(delivery: &Delivery, settled: &Settled) {
    let Delivery { rule, target, attempts, .. } = delivery;
    match settled {
        Settled::Over => tracing::debug!(rule = rule.arn(), target, attempts, "an event's delivery is over"),
        Settled::Again { due_ms, .. } => {
            tracing::debug!(rule = rule.arn(), target, attempts, due_ms, "an event is delivered again later");
        }
        Settled::Dead(dead) => {
            let (code, message) = (&dead.error_code, &dead.error_message);
            tracing::warn!(
                rule = rule.arn(),
                target,
                attempts,
                code,
                message,
                "an event goes to the dead letters"
            );
        }
    }
}
