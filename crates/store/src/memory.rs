//! The store without a disk: for tests and simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::watch::Waker;
use crate::{Batch, CommitError, Entry, Op, Revision, Snapshot, Store, StoreError, Watch};

/// Keeps everything in memory. Clones share one keyspace, so a simulated restart drops the writer
/// and gives a clone to the next one.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keyspace: Mutex<Keyspace>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Keyspace {
    revision: Revision,
    entries: BTreeMap<String, (Vec<u8>, Revision)>,
}

impl MemoryStore {
    /// An empty store at revision 0.
    pub fn new() -> MemoryStore {
        MemoryStore {
            shared: Arc::new(Shared { keyspace: Mutex::default(), waker: Waker::new(Revision::default()) }),
        }
    }

    fn keyspace(&self) -> MutexGuard<'_, Keyspace> {
        // No code that holds the lock can panic half way through a change.
        self.shared.keyspace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl Keyspace {
    fn range(&self, prefix: &str) -> Vec<Entry> {
        self.entries
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, (value, revision))| Entry {
                key: key.clone(),
                value: value.clone(),
                revision: *revision,
            })
            .collect()
    }
}

impl Store for MemoryStore {
    fn load(&self) -> Result<Snapshot, StoreError> {
        let keyspace = self.keyspace();
        Ok(Snapshot { revision: keyspace.revision, entries: keyspace.range("") })
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        Ok(self.keyspace().range(prefix))
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        batch.check().map_err(CommitError::Refused)?;
        let mut keyspace = self.keyspace();
        let actual = keyspace.revision;
        if actual != expected {
            return Err(CommitError::Conflict { expected, actual });
        }
        if batch.is_empty() {
            return Ok(actual);
        }
        let revision = actual.next();
        for op in &batch.ops {
            match op {
                Op::Put { key, value } => {
                    keyspace.entries.insert(key.clone(), (value.clone(), revision));
                }
                Op::Delete { key } => {
                    keyspace.entries.remove(key);
                }
            }
        }
        keyspace.revision = revision;
        // Still under the lock: watchers see revisions in the order of the commits.
        self.shared.waker.wake(revision);
        Ok(revision)
    }

    fn watch(&self) -> Watch {
        self.shared.waker.watch()
    }
}
