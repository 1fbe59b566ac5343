//! Takes over the events of other services. Each has an outbox, filled in the commit that changed what the event is
//! about; how far it is taken over is stored in the commit of the deliveries, so that each event is taken over once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::envelope::Envelope;
use crate::state::{Catalog, Change};

/// Events taken over at once.
const BATCH: usize = 256;
/// What the store didn't take is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// An outbox of events, numbered in their order; no number is given twice.
pub trait Source: Send + Sync + 'static {
    /// Under which the place is stored up to which it is taken over.
    fn name(&self) -> &'static str;

    /// The first ones after a number, oldest first.
    fn after(&self, number: u64, most: usize) -> Vec<(u64, Arc<[u8]>)>;

    /// The number of the newest.
    fn newest(&self) -> watch::Receiver<u64>;

    /// Those up to a number are taken over.
    fn forget(&self, through: u64);
}

pub(crate) async fn run(catalog: Catalog, source: Arc<dyn Source>, mut stop: watch::Receiver<bool>) {
    let mut newest = source.newest();
    loop {
        newest.mark_unchanged();
        let done = catalog.state().cursors.get(source.name()).copied().unwrap_or(0);
        let batch = source.after(done, BATCH);
        let Some((last, _)) = batch.last() else {
            source.forget(done);
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            continue;
        };
        let cursor = Some((source.name().to_owned(), *last));
        let events = batch.iter().filter_map(|(_, event)| read(event)).collect();
        if let Err(error) = catalog.change(Change::Accept { events, cursor }).await {
            tracing::warn!(%error, source = source.name(), "events aren't taken over yet");
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// What isn't an event is of no use to anybody, and mustn't hold up the others.
fn read(bytes: &[u8]) -> Option<Envelope> {
    let event = Envelope::of_message(bytes);
    if event.is_none() {
        tracing::error!("an event of a service can't be read");
    }
    event
}
