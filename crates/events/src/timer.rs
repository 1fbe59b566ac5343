//! Rules with a schedule. What was due up to when is stored with each rule, so a restart misses nothing; what comes due
//! while the server is away is made up for when it is back, oldest first.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::state::{Catalog, Change, RuleKey, State};

/// The clock is looked at that often, whatever is due: it may be set.
const LOOK: Duration = Duration::from_secs(30);
/// What the store didn't take is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn run(catalog: Catalog, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut revision = catalog.revision();
    loop {
        revision.mark_unchanged();
        let wait = match next(&catalog.state()) {
            Some((at_ms, rule)) if at_ms <= clock.now_ms() => {
                let id = uuid::Uuid::new_v4().to_string();
                match catalog.change(Change::Fire { rule, at_ms, id }).await {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "a schedule's event isn't stored yet");
                        RETRY
                    }
                }
            }
            Some((at_ms, _)) => Duration::from_millis(at_ms.saturating_sub(clock.now_ms())).min(LOOK),
            None => LOOK,
        };
        tokio::select! {
            changed = revision.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// The rule that is due first.
fn next(state: &State) -> Option<(u64, RuleKey)> {
    let due = state.rules.iter().filter_map(|(key, rule)| Some((rule.due_ms()?, key)));
    due.min().map(|(at_ms, key)| (at_ms, key.clone()))
}
