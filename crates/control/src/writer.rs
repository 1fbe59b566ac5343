//! The one writer: command → `apply` → events → one durable commit → answer.
//!
//! It has a thread of its own, because a commit blocks. Commands that arrive while a commit is under
//! way share the next one (group commit), each decided on the world that the one before it left.
//! Nothing is answered, and no reader sees a change, before the commit that holds it: not even a
//! refusal, which may rest on a change of the same group.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use model::{Command, Event, Refusal, Scope, World};
use store::{Batch, CommitError, Outbox, Revision, Store, StoreError};
use tokio::sync::{broadcast, oneshot};

use crate::announce::{Announcer, SharedAudience};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Commands that may wait for the writer; a caller beyond that waits for room in its own thread.
const QUEUE: usize = 4096;
/// Most commands in one commit: bounds how long the first of a group waits for the last.
const GROUP: usize = 1024;
/// How often a store that takes no commits is tried while there is nothing to commit.
const PROBE: Duration = Duration::from_secs(1);
/// Commits that a slow follower may lag behind before it must read the world anew.
const FOLLOWERS_LAG: usize = 4096;

/// A command's outcome: its events, and the world of the commit that holds them (which may hold
/// later commands' events too).
#[derive(Clone, Debug)]
pub struct Committed {
    /// Of the whole commit.
    all: Arc<[Event]>,
    own: Range<usize>,
    pub world: Arc<World>,
}

impl Committed {
    /// The command's own events.
    pub fn events(&self) -> &[Event] {
        &self.all[self.own.clone()]
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The world as it is doesn't allow it. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store did not take the commit. Nothing was changed, unless it is [`CommitError::Unknown`].
    #[error("the state could not be written: {0}")]
    Store(#[source] Arc<CommitError>),
    /// Nor will it take another: an earlier commit ended in a way that makes every later one worthless.
    /// Nothing was changed. Reading goes on; the store tries to reopen itself with each commit.
    #[error("the state can't be written until its store is reopened: {0}")]
    Broken(#[source] Arc<CommitError>),
    /// The server is going down.
    #[error("the server is shutting down")]
    Closed,
}

/// What a follower is told after a commit.
#[derive(Clone, Debug)]
pub struct Change {
    pub events: Arc<[Event]>,
}

struct Request {
    command: Command,
    answer: oneshot::Sender<Result<Committed, SubmitError>>,
}

/// A handle to the writer. Cheap to clone; the writer ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    requests: mpsc::SyncSender<Request>,
    world: Arc<ArcSwap<World>>,
    changes: broadcast::Sender<Change>,
    trouble: Arc<ArcSwapOption<String>>,
    outbox: Arc<Outbox>,
}

/// The state could not be loaded at start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Corrupt(#[from] model::Corrupt),
    #[error("start the writer's thread")]
    Thread(#[source] std::io::Error),
}

impl Writer {
    /// Loads the world from `store` and starts the writer. `audience`: who is told of changes; `home`: the account and
    /// region of the pool's instances.
    pub fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        audience: SharedAudience,
        home: Scope,
    ) -> Result<Writer, OpenError> {
        let outbox = Arc::new(Outbox::new());
        let (world, revision) = load(&*store, &outbox)?;
        let world = Arc::new(world);
        let published = Arc::new(ArcSwap::new(world.clone()));
        let trouble = Arc::<ArcSwapOption<String>>::default();
        let (changes, _) = broadcast::channel(FOLLOWERS_LAG);
        let (requests, inbox) = mpsc::sync_channel(QUEUE);
        let thread = Thread {
            store,
            clock,
            metrics,
            revision,
            world,
            published: published.clone(),
            changes: changes.clone(),
            broken: false,
            trouble: trouble.clone(),
            outbox: outbox.clone(),
            audience,
            home,
        };
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || thread.run(&inbox))
            .map_err(OpenError::Thread)?;
        Ok(Writer { requests, world: published, changes, trouble, outbox })
    }

    /// The world of the newest commit.
    pub fn world(&self) -> Arc<World> {
        self.world.load_full()
    }

    /// Why nothing can be written now, if that is so.
    pub fn trouble(&self) -> Option<Arc<String>> {
        self.trouble.load_full()
    }

    /// What the audience is told, from the commits of the changes until it is taken over.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// Every commit from now on. One that lags is told so, and reads the world anew.
    pub fn follow(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Carries the command out; returns once it is durable.
    pub async fn submit(&self, command: Command) -> Result<Committed, SubmitError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { command, answer };
        match self.requests.try_send(request) {
            Ok(()) => {}
            Err(mpsc::TrySendError::Disconnected(_)) => return Err(SubmitError::Closed),
            Err(mpsc::TrySendError::Full(request)) => {
                let requests = self.requests.clone();
                let sent = tokio::task::spawn_blocking(move || requests.send(request).is_ok()).await;
                if !matches!(sent, Ok(true)) {
                    return Err(SubmitError::Closed);
                }
            }
        }
        answered.await.unwrap_or(Err(SubmitError::Closed))
    }
}

/// The error with what lies below it, down to what the disk said.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn load(store: &dyn Store, outbox: &Outbox) -> Result<(World, Revision), OpenError> {
    let snapshot = store.load()?;
    let pairs = snapshot.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice()));
    outbox.load(pairs.clone());
    let of_world = pairs.filter(|(key, _)| !Outbox::holds(key));
    Ok((World::restore(of_world)?, snapshot.revision))
}

struct Thread {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    revision: Revision,
    world: Arc<World>,
    published: Arc<ArcSwap<World>>,
    changes: broadcast::Sender<Change>,
    /// The store takes no commit any more, and that was told.
    broken: bool,
    /// Why the last commit failed.
    trouble: Arc<ArcSwapOption<String>>,
    outbox: Arc<Outbox>,
    audience: SharedAudience,
    home: Scope,
}

impl Thread {
    fn run(mut self, inbox: &mpsc::Receiver<Request>) {
        loop {
            let first = match self.trouble.load().is_some() {
                false => inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                true => inbox.recv_timeout(PROBE),
            };
            match first {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(inbox.try_iter().take(GROUP - 1));
                    self.carry_out(group);
                }
                // Whether the trouble is over is found out also while nobody asks for anything.
                Err(mpsc::RecvTimeoutError::Timeout) => match self.store.probe() {
                    Ok(()) => self.well(),
                    Err(error) => self.trouble.store(Some(Arc::new(with_causes(&error)))),
                },
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The store takes commits.
    fn well(&mut self) {
        if self.trouble.load().is_some() {
            tracing::info!("the state can be written again");
            self.trouble.store(None);
        }
        self.broken = false;
    }

    fn carry_out(&mut self, group: Vec<Request>) {
        let started = Instant::now();
        let now_ms = self.clock.now_ms();
        let mut decided = model::Transaction::on(&self.world);
        let mut announcer = Announcer::new(&*self.audience, &self.home, &self.world, now_ms);
        let decide = |request: &Request| {
            let own = decided.decide(&request.command, now_ms)?;
            announcer.note(decided.world(), decided.events(), own.clone());
            Ok(own)
        };
        let outcomes: Vec<Result<Range<usize>, Refusal>> = group.iter().map(decide).collect();
        let announcements = announcer.into_messages();
        let (world, events) = decided.into_parts();
        let events: Arc<[Event]> = events.into();
        if let Err(error) = self.commit(&world, &events, announcements) {
            return self.fail(group, error);
        }
        if !events.is_empty() {
            self.world = Arc::new(world);
            self.published.store(self.world.clone());
        }
        self.metrics.committed(group.len(), events.len(), started.elapsed());
        for (request, outcome) in group.into_iter().zip(outcomes) {
            let outcome = outcome
                .map(|own| Committed { all: events.clone(), own, world: self.world.clone() })
                .map_err(SubmitError::Refused);
            // Whoever asked may have gone: what is committed stays.
            let _ = request.answer.send(outcome);
        }
        if !events.is_empty() {
            // Nobody following is no error.
            let _ = self.changes.send(Change { events });
        }
    }

    fn fail(&mut self, group: Vec<Request>, error: CommitError) {
        let broken = matches!(error, CommitError::Refused(StoreError::Broken { .. }));
        let why = with_causes(&error);
        if !broken {
            tracing::error!(error = &why, commands = group.len(), "a commit failed");
        } else if !self.broken {
            // Once: from here on every write fails alike, and those who retry do it for ever.
            tracing::error!(error = &why, "nothing can be written until the store can be reopened");
        }
        self.broken |= broken;
        self.trouble.store(Some(Arc::new(why)));
        let error = Arc::new(error);
        for request in group {
            let error = error.clone();
            let error = if broken { SubmitError::Broken(error) } else { SubmitError::Store(error) };
            let _ = request.answer.send(Err(error));
        }
    }

    fn commit(
        &mut self,
        world: &World,
        events: &[Event],
        announcements: Vec<Vec<u8>>,
    ) -> Result<(), CommitError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for (key, value) in model::changes(world, events) {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        let staged = self.outbox.stage(self.revision.next(), announcements, &mut batch);
        match self.store.commit(self.revision, &batch) {
            Ok(revision) => {
                self.revision = revision;
                self.outbox.committed(staged);
                self.well();
                Ok(())
            }
            Err(error) => {
                if !matches!(error, CommitError::Refused(_)) {
                    self.recover();
                }
                Err(error)
            }
        }
    }

    /// What is stored isn't what it was taken for: read it again, and let followers see it.
    fn recover(&mut self) {
        match load(&*self.store, &self.outbox) {
            Ok((world, revision)) if revision != self.revision => {
                self.world = Arc::new(world);
                self.revision = revision;
                self.published.store(self.world.clone());
                let _ = self.changes.send(Change { events: Arc::from([]) });
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the state could not be read back"),
        }
    }
}

#[cfg(test)]
mod tests;
