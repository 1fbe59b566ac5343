//! The one thread that changes the metadata, with group commit: changes that arrive while a commit
//! is under way share the next one.

use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::thread::{self, JoinHandle};

use store::{Batch, Revision, Store};

use super::record;
use super::state::{Change, Done, GroupKey, Refusal, State};
use crate::error::LogsError;

/// Changes of one commit at most.
const MAX_SHARED: usize = 512;

#[derive(Debug)]
pub(crate) struct Catalog {
    published: Arc<RwLock<State>>,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Request {
    key: GroupKey,
    change: Change,
    now_ms: i64,
    answer: mpsc::Sender<Result<Result<Done, Refusal>, LogsError>>,
}

impl Catalog {
    pub(crate) fn open(store: Arc<dyn Store>) -> Result<Catalog, LogsError> {
        let mut writer = Writer { store, revision: Revision::default(), state: State::default() };
        writer.load()?;
        let published = Arc::new(RwLock::new(writer.state.clone()));
        let (queue, requests) = mpsc::channel();
        let publish = Arc::clone(&published);
        let thread = thread::Builder::new()
            .name("logs-catalog".to_owned())
            .spawn(move || writer.run(&requests, &publish))
            .map_err(|source| LogsError::Thread { source })?;
        Ok(Catalog { published, queue: Some(queue), thread: Some(thread) })
    }

    /// The metadata as of the last commit.
    pub(crate) fn state(&self) -> State {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes one change durable. Blocks until it is, and until `state` shows it.
    pub(crate) fn change(
        &self,
        key: GroupKey,
        change: Change,
        now_ms: i64,
    ) -> Result<Result<Done, Refusal>, LogsError> {
        let (answer, answered) = mpsc::channel();
        let queue = self.queue.as_ref().ok_or(LogsError::Stopped)?;
        queue.send(Request { key, change, now_ms, answer }).map_err(|_| LogsError::Stopped)?;
        answered.recv().map_err(|_| LogsError::Stopped)?
    }
}

impl Drop for Catalog {
    /// Ends the thread, so that the store is closed when this returns.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    store: Arc<dyn Store>,
    revision: Revision,
    state: State,
}

impl Writer {
    fn load(&mut self) -> Result<(), LogsError> {
        let snapshot = self.store.load().map_err(|source| LogsError::Load { source })?;
        self.state = record::load(&snapshot.entries)?;
        self.revision = snapshot.revision;
        Ok(())
    }

    fn run(mut self, requests: &mpsc::Receiver<Request>, publish: &RwLock<State>) {
        while let Ok(first) = requests.recv() {
            let more = requests.try_iter().take(MAX_SHARED - 1);
            let shared: Vec<Request> = std::iter::once(first).chain(more).collect();
            let mut batch = Batch::new();
            let decided: Vec<_> = shared
                .iter()
                .map(|request| self.state.change(&request.key, &request.change, request.now_ms, &mut batch))
                .collect();
            let committed = self.commit(&batch);
            *publish.write().unwrap_or_else(PoisonError::into_inner) = self.state.clone();
            match committed {
                Ok(()) => {
                    for (request, decision) in shared.into_iter().zip(decided) {
                        // A client that went away doesn't wait for its answer.
                        let _ = request.answer.send(Ok(decision));
                    }
                }
                // All of them were one commit. The first one's client is told the cause, the
                // others find their channel closed; for the API both are "unavailable".
                Err(error) => {
                    if let Some(request) = shared.into_iter().next() {
                        let _ = request.answer.send(Err(error));
                    }
                }
            }
        }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), LogsError> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.store.commit(self.revision, batch) {
            Ok(revision) => {
                self.revision = revision;
                Ok(())
            }
            Err(source) => {
                // Whatever became of it, the store knows better than our memory. When it can't
                // even be read, the next commit meets a conflict and comes back here.
                if let Err(error) = self.load() {
                    tracing::error!(%error, "the log metadata can't be read again after a failed commit");
                }
                Err(LogsError::Commit { source })
            }
        }
    }
}
