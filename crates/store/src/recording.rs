//! A store that remembers its commits, for tests that read the history.

use std::sync::{Mutex, PoisonError};

use crate::{Batch, CommitError, Entry, Revision, Snapshot, Store, StoreError, Watch};

/// One commit that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub revision: Revision,
    pub batch: Batch,
}

/// Passes everything through and keeps each acknowledged, non-empty commit.
#[derive(Debug)]
pub struct Recording<S> {
    inner: S,
    history: Mutex<Vec<Commit>>,
}

impl<S: Store> Recording<S> {
    /// Records from now on.
    pub fn new(inner: S) -> Recording<S> {
        Recording { inner, history: Mutex::default() }
    }

    /// The commits so far, by revision.
    pub fn history(&self) -> Vec<Commit> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner).clone();
        history.sort_by_key(|commit| commit.revision);
        history
    }
}

impl<S: Store> Store for Recording<S> {
    fn load(&self) -> Result<Snapshot, StoreError> {
        self.inner.load()
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.inner.range(prefix)
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        let revision = self.inner.commit(expected, batch)?;
        if !batch.is_empty() {
            let commit = Commit { revision, batch: batch.clone() };
            self.history.lock().unwrap_or_else(PoisonError::into_inner).push(commit);
        }
        Ok(revision)
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }
}
