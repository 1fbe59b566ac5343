//! The one thread that changes the state, with group commit: changes that arrive while a commit is under way share the
//! next one.

use std::sync::{Arc, mpsc};
use std::thread;

use arc_swap::ArcSwap;
use store::{Batch, Revision, Store};
use tokio::sync::{oneshot, watch};

use super::change::{Change, Numbers, Refusal};
use super::{State, record};
use crate::clock::Clock;
use crate::error::EventsError;

/// Changes of one commit at most.
const MAX_SHARED: usize = 512;
/// A commit's deliveries are numbered by its revision and these many bits: no counter is stored, and none is given twice.
const WITHIN_BITS: u32 = 20;

/// Why a change isn't there.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Failed(Arc<EventsError>),
}

/// A handle to the writer. Cheap to clone; the thread ends with the last one.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    published: Arc<ArcSwap<State>>,
    revision: watch::Receiver<u64>,
    queue: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    change: Change,
    answer: oneshot::Sender<Result<(), ChangeError>>,
}

impl Catalog {
    pub fn open(store: Arc<dyn Store>, clock: Clock) -> Result<Self, EventsError> {
        let (wake, revision) = watch::channel(0);
        let published = Arc::<ArcSwap<State>>::default();
        let (queue, requests) = mpsc::channel();
        let mut writer = Writer {
            store,
            clock,
            revision: Revision::default(),
            state: State::default(),
            published: published.clone(),
            wake,
        };
        writer.load()?;
        thread::Builder::new()
            .name("events-writer".to_owned())
            .spawn(move || writer.run(&requests))
            .map_err(|source| EventsError::Thread { source })?;
        Ok(Self { published, revision, queue })
    }

    /// As of the last commit.
    pub fn state(&self) -> Arc<State> {
        self.published.load_full()
    }

    /// Wakes after commits.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }

    /// Makes one change durable; returns once `state` shows it.
    pub async fn change(&self, change: Change) -> Result<(), ChangeError> {
        let stopped = || ChangeError::Failed(Arc::new(EventsError::Stopped));
        let (answer, answered) = oneshot::channel();
        self.queue.send(Request { change, answer }).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

struct Writer {
    store: Arc<dyn Store>,
    clock: Clock,
    revision: Revision,
    state: State,
    published: Arc<ArcSwap<State>>,
    wake: watch::Sender<u64>,
}

impl Writer {
    fn load(&mut self) -> Result<(), EventsError> {
        let snapshot = self.store.load().map_err(|source| EventsError::Load { source })?;
        self.state = record::load(&snapshot.entries)?;
        self.revision = snapshot.revision;
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        self.published.store(Arc::new(self.state.clone()));
        self.wake.send_replace(self.revision.0);
    }

    fn run(mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let shared: Vec<Request> =
                std::iter::once(first).chain(requests.try_iter().take(MAX_SHARED - 1)).collect();
            let now_ms = self.clock.now_ms();
            let before = self.state.clone();
            let mut numbers = Numbers { next: self.revision.next().0 << WITHIN_BITS };
            let mut batch = Batch::new();
            let mut decided = Vec::new();
            for Request { change, answer } in shared {
                let copy = (self.state.clone(), batch.len());
                let outcome = self.state.change(change, now_ms, &mut numbers, &mut batch);
                if outcome.is_err() {
                    self.state = copy.0;
                    batch.ops.truncate(copy.1);
                }
                decided.push((answer, outcome));
            }
            let committed = self.commit(&batch, before);
            for (answer, outcome) in decided {
                let outcome = match &committed {
                    Ok(()) => outcome.map_err(ChangeError::Refused),
                    Err(error) => Err(ChangeError::Failed(error.clone())),
                };
                // Whoever asked may have gone: what is committed stays.
                let _ = answer.send(outcome);
            }
        }
    }

    fn commit(&mut self, batch: &Batch, before: State) -> Result<(), Arc<EventsError>> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.store.commit(self.revision, batch) {
            Ok(revision) => {
                self.revision = revision;
                self.publish();
                Ok(())
            }
            Err(source) => {
                // Whatever became of it, the store knows better than our memory. When it can't even be read, the next
                // commit meets a conflict and comes back here.
                self.state = before;
                if let Err(error) = self.load() {
                    tracing::error!(%error, "the rules can't be read again after a failed commit");
                }
                Err(Arc::new(EventsError::Commit { source }))
            }
        }
    }
}
