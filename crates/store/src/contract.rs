//! The contract itself: what every implementation promises.

use std::fmt;
use std::sync::Arc;

use crate::{CommitError, StoreError, Watch};

/// A store's revision: 0 when nothing was ever committed, then one more for each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the commit that follows this one.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One key as it stands, and the revision of the commit that last wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Vec<u8>,
    pub revision: Revision,
}

/// Every entry, ordered by the bytes of its key, all as of `revision`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub revision: Revision,
    pub entries: Vec<Entry>,
}

/// One change to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes the key, whether or not it exists. By custom the value is JSON text, so that a
    /// person can read the state with the `sqlite3` shell; any bytes are kept faithfully.
    Put { key: String, value: Vec<u8> },
    /// Removes the key; nothing happens when it doesn't exist.
    Delete { key: String },
}

impl Op {
    /// The key that this change is about.
    pub fn key(&self) -> &str {
        match self {
            Op::Put { key, .. } | Op::Delete { key } => key,
        }
    }
}

/// Changes that take effect together. They apply in order, so the last one for a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub ops: Vec<Op>,
}

impl Batch {
    /// A batch without changes.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds a [`Op::Put`].
    pub fn put(&mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> &mut Batch {
        self.ops.push(Op::Put { key: key.into(), value: value.into() });
        self
    }

    /// Adds a [`Op::Delete`].
    pub fn delete(&mut self, key: impl Into<String>) -> &mut Batch {
        self.ops.push(Op::Delete { key: key.into() });
        self
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Refuses a batch that some implementation could not keep: etcd has no empty key.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.ops.iter().position(|op| op.key().is_empty()) {
            Some(position) => Err(StoreError::EmptyKey { position }),
            None => Ok(()),
        }
    }
}

/// Durable state with revisions. Every call blocks: a writer calls it on a thread of its own.
pub trait Store: Send + Sync + 'static {
    /// The whole keyspace with its revision. Called at start, and after [`CommitError::Unknown`].
    fn load(&self) -> Result<Snapshot, StoreError>;

    /// The entries whose keys begin with `prefix` (all of them when it is empty), ordered by key.
    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError>;

    /// Applies the whole batch or nothing of it, if the store still is at `expected`. When it
    /// returns the new revision, the batch survives the loss of the process and of power.
    ///
    /// An empty batch checks `expected` and returns it: it makes no revision and wakes nobody.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when somebody else committed; [`CommitError::Refused`] when
    /// nothing was changed; [`CommitError::Unknown`] when it may or may not have taken effect.
    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError>;

    /// Whether a commit would be taken now, found out by a write that changes nothing.
    fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// A new watcher, which has seen everything up to now.
    fn watch(&self) -> Watch;
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self) -> Result<Snapshot, StoreError> {
        (**self).load()
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        (**self).range(prefix)
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        (**self).commit(expected, batch)
    }

    fn probe(&self) -> Result<(), StoreError> {
        (**self).probe()
    }

    fn watch(&self) -> Watch {
        (**self).watch()
    }
}
