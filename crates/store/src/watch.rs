//! Wake-ups after commits.

use tokio::sync::watch;

use crate::Revision;

/// The store is gone: no commit will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the watched store was closed")]
pub struct Closed;

/// Wakes after commits. It carries the newest revision only: several commits between two looks are
/// one wake-up, and whoever wakes reads the state anew.
#[derive(Clone, Debug)]
pub struct Watch {
    revisions: watch::Receiver<Revision>,
}

impl Watch {
    /// The newest committed revision. Does not count as having seen it.
    pub fn revision(&self) -> Revision {
        *self.revisions.borrow()
    }

    /// Waits for a commit that this watcher hasn't seen, and returns the newest revision. Dropping
    /// the future before it is ready loses nothing.
    ///
    /// # Errors
    /// [`Closed`] when the store was dropped and every commit was seen.
    pub async fn changed(&mut self) -> Result<Revision, Closed> {
        self.revisions.changed().await.map_err(|_| Closed)?;
        Ok(*self.revisions.borrow_and_update())
    }

    /// The newest revision if this watcher hasn't seen it, without waiting.
    ///
    /// # Errors
    /// [`Closed`] as for [`Watch::changed`].
    pub fn poll_changed(&mut self) -> Result<Option<Revision>, Closed> {
        match self.revisions.has_changed() {
            Ok(true) => Ok(Some(*self.revisions.borrow_and_update())),
            Ok(false) => Ok(None),
            Err(_) => Err(Closed),
        }
    }
}

/// The store's end of its watchers.
#[derive(Debug)]
pub(crate) struct Waker {
    revisions: watch::Sender<Revision>,
}

impl Waker {
    pub(crate) fn new(revision: Revision) -> Waker {
        Waker { revisions: watch::Sender::new(revision) }
    }

    pub(crate) fn wake(&self, revision: Revision) {
        self.revisions.send_replace(revision);
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch { revisions: self.revisions.subscribe() }
    }
}
