//! The one writer: a thread that takes commands, makes their changes durable in groups, and only then
//! answers. Readers take the published index and never wait for it.

use std::{sync::Arc, thread};

use arc_swap::ArcSwap;
use store::{Batch, CommitError, Outbox, Revision, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    command::{Command, Decision, Refusal},
    index::{Change, Index, LoadError},
};
use crate::{
    announce::{self, SharedAudience},
    blobs::storage::{BlobError, BlobStorage, Staged},
    clock::Clock,
    digest::{Algorithm, Digest},
};

/// Commands that may share one commit. Bounds how long the first of them waits.
const GROUP: usize = 128;

/// Commands that may wait before callers do.
const QUEUE: usize = 1024;

/// Why a command's changes are not there (or, for [`WriteError::Unknown`], may not be).
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the blob could not be put in place")]
    Blob(#[source] Arc<BlobError>),
    #[error("the registry's state could not be written")]
    Commit(#[source] Arc<CommitError>),
    /// The caller may try again: every command can be repeated.
    #[error("whether the change was made is unknown")]
    Unknown(#[source] Arc<CommitError>),
    /// Nothing was done: an earlier commit ended in doubt, and the state can't be read again.
    #[error("the registry's state must be read again, and can't be")]
    Reload(#[source] Arc<OpenError>),
    #[error("the registry's writer has ended")]
    Stopped,
}

impl WriteError {
    /// Whether it is for want of room on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Blob(error) => error.is_full(),
            Self::Commit(error) => matches!(**error, CommitError::Refused(StoreError::Full { .. })),
            _ => false,
        }
    }

    /// Whether the store of the blobs is elsewhere and failed.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Blob(error) if error.is_elsewhere())
    }
}

/// The handle: cheap to clone, and the only way to change anything.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    index: Arc<ArcSwap<Index>>,
    newest_push: watch::Receiver<u64>,
    outbox: Arc<Outbox>,
}

/// How changes are announced.
pub struct Announcing {
    pub audience: SharedAudience,
    pub clock: Clock,
    pub outbox: Arc<Outbox>,
}

impl Writer {
    /// Starts the thread. It ends when the last handle is dropped.
    pub fn start(
        store: Arc<dyn Store>,
        blobs: BlobStorage,
        index: Index,
        revision: Revision,
        announcing: Announcing,
    ) -> std::io::Result<Self> {
        let outbox = announcing.outbox.clone();
        let (queue, commands) = mpsc::channel(QUEUE);
        let (push_sender, newest_push) = watch::channel(index.newest_push());
        let published = Arc::new(ArcSwap::from_pointee(index.clone()));
        let mut thread = WriterThread {
            store,
            blobs,
            index,
            revision,
            published: published.clone(),
            newest_push: push_sender,
            must_load: false,
            announcing,
        };
        thread::Builder::new().name("registry-writer".to_owned()).spawn(move || thread.run(commands))?;
        Ok(Self { queue, index: published, newest_push, outbox })
    }

    /// The state as of the last commit.
    pub fn index(&self) -> Arc<Index> {
        self.index.load_full()
    }

    /// The number of the newest push that is committed.
    pub fn newest_push(&self) -> watch::Receiver<u64> {
        self.newest_push.clone()
    }

    /// What is announced, from the commits of the changes until it is taken over.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Runs a command; answers after its changes are durable.
    pub async fn submit<C: Command>(&self, command: C) -> Result<C::Outcome, WriteError> {
        self.submit_with(command, None).await
    }

    /// Runs a command whose changes name the staged blob: it is put in place if the command isn't refused.
    pub async fn submit_with<C: Command>(
        &self,
        command: C,
        staged: Option<Staged>,
    ) -> Result<C::Outcome, WriteError> {
        let (reply, answer) = oneshot::channel();
        let job = Submitted::Waiting { command, staged, reply };
        let queued = self.queue.send(Box::new(job)).await;
        queued.map_err(|_| WriteError::Stopped)?;
        answer.await.map_err(|_| WriteError::Stopped)?
    }
}

/// What came of a job's look at the state.
enum Decided {
    Wanted {
        changes: Vec<Change>,
        placed: Option<Algorithm>,
    },
    /// The caller was told. The staged blob isn't needed.
    Refused(Option<Staged>),
}

/// A command with its waiting caller; its types are hidden from the thread.
trait Job: Send {
    /// Decides, and places the staged blob.
    fn decide(&mut self, index: &Index, blobs: &BlobStorage) -> Decided;

    /// Lets go of the staged blob.
    fn release(&mut self) -> Option<Staged>;

    /// Tells the caller how the group's commit ended, or that there was none.
    fn finish(self: Box<Self>, committed: Result<(), WriteError>);
}

enum Submitted<C: Command> {
    Waiting {
        command: C,
        staged: Option<Staged>,
        reply: oneshot::Sender<Result<C::Outcome, WriteError>>,
    },
    Decided {
        outcome: C::Outcome,
        staged: Option<Staged>,
        reply: oneshot::Sender<Result<C::Outcome, WriteError>>,
    },
    Answered,
}

impl<C: Command> Job for Submitted<C> {
    fn decide(&mut self, index: &Index, blobs: &BlobStorage) -> Decided {
        let Self::Waiting { command, staged, reply } = std::mem::replace(self, Self::Answered) else {
            return Decided::Refused(None);
        };
        let decided = command.decide(index).map_err(WriteError::from).and_then(|decision| {
            let placed = staged
                .as_ref()
                .map(|s| blobs.place(s).map(|()| s.digest().algorithm()))
                .transpose()
                .map_err(|e| WriteError::Blob(Arc::new(e)))?;
            Ok((decision, placed))
        });
        match decided {
            Ok((decision, placed)) => {
                let Decision { changes, outcome } = decision;
                *self = Self::Decided { outcome, staged, reply };
                Decided::Wanted { changes, placed }
            }
            // A caller that went away needs no answer.
            Err(error) => {
                let _ = reply.send(Err(error));
                Decided::Refused(staged)
            }
        }
    }

    fn release(&mut self) -> Option<Staged> {
        match self {
            Self::Decided { staged, .. } => staged.take(),
            Self::Waiting { .. } | Self::Answered => None,
        }
    }

    fn finish(self: Box<Self>, committed: Result<(), WriteError>) {
        match (*self, committed) {
            (Self::Decided { outcome, reply, .. }, committed) => {
                let _ = reply.send(committed.map(|()| outcome));
            }
            (Self::Waiting { reply, .. }, Err(error)) => {
                let _ = reply.send(Err(error));
            }
            (Self::Waiting { .. } | Self::Answered, _) => {}
        }
    }
}

struct WriterThread {
    store: Arc<dyn Store>,
    blobs: BlobStorage,
    index: Index,
    revision: Revision,
    published: Arc<ArcSwap<Index>>,
    newest_push: watch::Sender<u64>,
    /// The store may be ahead of `index`: a commit ended in doubt.
    must_load: bool,
    announcing: Announcing,
}

impl WriterThread {
    fn run(&mut self, mut commands: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = commands.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < GROUP
                && let Ok(next) = commands.try_recv()
            {
                jobs.push(next);
            }
            self.group(jobs);
        }
    }

    fn group(&mut self, jobs: Vec<Box<dyn Job>>) {
        if self.must_load
            && let Err(error) = self.reload()
        {
            tracing::error!(error = &error as &dyn std::error::Error, "the registry's state can't be read");
            let error = WriteError::Reload(Arc::new(error));
            jobs.into_iter().for_each(|job| job.finish(Err(error.clone())));
            return;
        }
        let mut next = self.index.clone();
        let mut changes = Vec::new();
        let mut placed = Vec::new();
        let mut decided = Vec::new();
        let mut in_vain = Vec::new();
        let mut messages = Vec::new();
        let now_ms = (self.announcing.clock)();
        for mut job in jobs {
            match job.decide(&next, &self.blobs) {
                Decided::Wanted { changes: wanted, placed: algorithm } => {
                    messages.extend(announce::messages(&*self.announcing.audience, &next, &wanted, now_ms));
                    wanted.iter().for_each(|c| next.apply(c));
                    changes.extend(wanted);
                    placed.extend(algorithm);
                    decided.push(job);
                }
                Decided::Refused(staged) => in_vain.extend(staged),
            }
        }
        let result = self.commit(next, &changes, placed, messages);
        let staged = decided.iter_mut().filter_map(|job| job.release());
        match &result {
            // Before anything is removed: a claim that is still held would keep it.
            Ok(()) => staged.for_each(drop),
            Err(_) => in_vain.extend(staged),
        }
        // In doubt, a blob may have a record: the next start will know.
        if !self.must_load {
            for staged in in_vain {
                let is_used = self.index.is_used(staged.digest());
                self.blobs.take_back(staged, is_used);
            }
        }
        if result.is_ok() {
            self.remove_unused(&changes);
        }
        for job in decided {
            job.finish(result.clone());
        }
    }

    fn commit(
        &mut self,
        next: Index,
        changes: &[Change],
        mut placed: Vec<Algorithm>,
        messages: Vec<Vec<u8>>,
    ) -> Result<(), WriteError> {
        placed.sort_unstable();
        placed.dedup();
        for algorithm in placed {
            let synced = self.blobs.sync(algorithm);
            synced.map_err(|e| WriteError::Blob(Arc::new(e)))?;
        }
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for change in changes {
            match change.record() {
                (key, Some(value)) => batch.put(key, value),
                (key, None) => batch.delete(key),
            };
        }
        let staged = self.announcing.outbox.stage(self.revision.next(), messages, &mut batch);
        match self.store.commit(self.revision, &batch) {
            Ok(revision) => {
                self.revision = revision;
                self.announcing.outbox.committed(staged);
                self.publish(next);
                Ok(())
            }
            Err(error @ CommitError::Refused(_)) => Err(WriteError::Commit(Arc::new(error))),
            Err(error) => {
                self.must_load = true;
                Err(WriteError::Unknown(Arc::new(error)))
            }
        }
    }

    fn publish(&mut self, index: Index) {
        self.published.store(Arc::new(index.clone()));
        let newest = index.newest_push();
        self.newest_push.send_if_modified(|known| std::mem::replace(known, newest) != newest);
        self.index = index;
    }

    fn reload(&mut self) -> Result<(), OpenError> {
        let (index, revision) = load(&*self.store, &self.announcing.outbox)?;
        self.revision = revision;
        self.publish(index);
        self.must_load = false;
        Ok(())
    }

    /// After the commit, so that a crash leaves at most an unused file, which the next start sweeps.
    fn remove_unused(&self, changes: &[Change]) {
        let unused = |digest: &&Digest| !self.index.is_used(digest);
        for digest in changes.iter().filter_map(Change::released).filter(unused) {
            if let Err(error) = self.blobs.remove(digest) {
                tracing::warn!(%digest, %error, "an unused blob stays until the next start");
            }
        }
    }
}

/// The state can't be read from the store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the registry's state can't be read")]
    Store(#[from] StoreError),
    #[error("the registry's state is not what it should be")]
    Load(#[from] LoadError),
}

/// Reads the whole state.
pub fn load(store: &dyn Store, outbox: &Outbox) -> Result<(Index, Revision), OpenError> {
    let snapshot = store.load()?;
    let entries = snapshot.entries.iter().map(|e| (e.key.as_str(), e.value.as_slice()));
    outbox.load(entries.clone());
    Ok((Index::load(entries)?, snapshot.revision))
}
