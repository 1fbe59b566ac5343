//! Messages that are committed with the change that they tell of, for whoever acts on them afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::{Batch, Revision};

const PREFIX: &str = "outbox/";
/// A message's number is the revision of its commit and its place within that, so that no counter is stored and no
/// number is given twice, whatever was deleted.
const PLACE_BITS: u32 = 20;

/// The messages that are stored and not yet forgotten. A writer stages them with its batch; a reader takes them in
/// order and says how far it has come. What it is done with goes with the writer's next commit, which costs none of
/// its own; a reader that must not act twice remembers the number itself.
#[derive(Debug)]
pub struct Outbox {
    messages: Mutex<BTreeMap<u64, Arc<[u8]>>>,
    newest: watch::Sender<u64>,
    done: AtomicU64,
}

/// Messages of a commit that isn't made yet.
#[derive(Debug, Default)]
pub struct Staged {
    put: Vec<(u64, Arc<[u8]>)>,
    deleted: Vec<u64>,
}

impl Outbox {
    pub fn new() -> Self {
        Self { messages: Mutex::default(), newest: watch::Sender::new(0), done: AtomicU64::new(0) }
    }

    /// Whether a key of the store is a message's.
    pub fn holds(key: &str) -> bool {
        key.starts_with(PREFIX)
    }

    /// Begins anew with what is stored; other keys are passed over.
    pub fn load<'a>(&self, entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        let number = |key: &str| key.strip_prefix(PREFIX)?.parse().ok();
        let stored = entries.into_iter().filter_map(|(key, value)| Some((number(key)?, value.into())));
        let stored: BTreeMap<u64, Arc<[u8]>> = stored.collect();
        let newest = stored.keys().next_back().copied().unwrap_or(0);
        *self.messages() = stored;
        self.newest.send_replace(newest);
    }

    /// Adds messages to the batch of the commit that will be `revision`, and drops from the store those that the reader
    /// is done with.
    pub fn stage(&self, revision: Revision, messages: Vec<Vec<u8>>, batch: &mut Batch) -> Staged {
        let done = self.done.load(Ordering::Acquire);
        let deleted: Vec<u64> = self.messages().range(..=done).map(|(number, _)| *number).collect();
        for number in &deleted {
            batch.delete(key(*number));
        }
        let first = revision.0 << PLACE_BITS;
        let put: Vec<(u64, Arc<[u8]>)> = (first..).zip(messages.into_iter().map(Arc::from)).collect();
        for (number, message) in &put {
            batch.put(key(*number), message.to_vec());
        }
        Staged { put, deleted }
    }

    /// The commit was made.
    pub fn committed(&self, staged: Staged) {
        let mut messages = self.messages();
        for number in &staged.deleted {
            messages.remove(number);
        }
        let newest = staged.put.last().map(|(number, _)| *number);
        messages.extend(staged.put);
        drop(messages);
        if let Some(newest) = newest {
            self.newest.send_replace(newest);
        }
    }

    /// The first messages after a number, oldest first.
    pub fn after(&self, number: u64, most: usize) -> Vec<(u64, Arc<[u8]>)> {
        let messages = self.messages();
        let after = messages.range(number.saturating_add(1)..).take(most);
        after.map(|(number, message)| (*number, message.clone())).collect()
    }

    /// The number of the newest; it changes after its commit.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The reader is done with those up to a number.
    pub fn forget(&self, through: u64) {
        self.done.fetch_max(through, Ordering::AcqRel);
    }

    fn messages(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<[u8]>>> {
        // No code that holds the lock can panic half way through a change.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

fn key(number: u64) -> String {
    format!("{PREFIX}{number:020}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, Store};

    fn texts(outbox: &Outbox, after: u64) -> Vec<String> {
        let all = outbox.after(after, usize::MAX);
        all.iter().map(|(_, message)| String::from_utf8_lossy(message).into_owned()).collect()
    }

    fn commit(store: &MemoryStore, outbox: &Outbox, messages: &[&str]) {
        let revision = store.load().unwrap().revision;
        let mut batch = Batch::new();
        batch.put("x", b"1".to_vec());
        let messages = messages.iter().map(|text| text.as_bytes().to_vec()).collect();
        let staged = outbox.stage(revision.next(), messages, &mut batch);
        store.commit(revision, &batch).unwrap();
        outbox.committed(staged);
    }

    #[test]
    fn numbers_only_grow_also_when_nothing_is_left_and_after_a_restart() {
        let store = MemoryStore::new();
        let outbox = Outbox::new();
        commit(&store, &outbox, &["a", "b"]);
        assert_eq!(texts(&outbox, 0), ["a", "b"]);
        let last = *outbox.newest().borrow();
        outbox.forget(last);
        commit(&store, &outbox, &[]);
        assert_eq!(store.range(PREFIX).unwrap().len(), 0, "what the reader is done with is gone");
        let outbox = Outbox::new();
        let stored = store.load().unwrap();
        outbox.load(stored.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice())));
        commit(&store, &outbox, &["c"]);
        assert_eq!(texts(&outbox, last), ["c"]);
    }

    #[test]
    fn what_is_not_forgotten_is_there_after_a_restart_in_order() {
        let store = MemoryStore::new();
        let outbox = Outbox::new();
        commit(&store, &outbox, &["a", "b"]);
        commit(&store, &outbox, &["c"]);
        outbox.forget(outbox.after(0, 1)[0].0);
        commit(&store, &outbox, &["d"]);
        let again = Outbox::new();
        let stored = store.load().unwrap();
        again.load(stored.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_slice())));
        assert_eq!(texts(&again, 0), ["b", "c", "d"]);
        assert_eq!(*again.newest().borrow(), *outbox.newest().borrow());
    }

    #[test]
    fn what_is_staged_and_not_committed_is_nowhere() {
        let outbox = Outbox::new();
        drop(outbox.stage(Revision(1), vec![b"a".to_vec()], &mut Batch::new()));
        assert_eq!(texts(&outbox, 0), Vec::<String>::new());
    }
}
