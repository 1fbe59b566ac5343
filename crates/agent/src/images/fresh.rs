//! Answers that are never older than the question, for many who ask the same at once: what does this tag
//! stand for now? Forty tasks of a service that start together cost two requests, not forty, and still
//! none of them is given an answer from before it asked (a push may just have moved the tag).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Questions under way, by key.
pub(super) struct Fresh<K, T> {
    slots: Mutex<HashMap<K, Arc<Slot<T>>>>,
}

struct Slot<T> {
    /// How many times it has been asked for an answer.
    begun: AtomicU64,
    /// The last answer, and the number of its asking. One asks at a time.
    last: tokio::sync::Mutex<Option<(u64, T)>>,
}

impl<K, T> Default for Fresh<K, T> {
    fn default() -> Self {
        Self { slots: Mutex::new(HashMap::new()) }
    }
}

impl<K, T> std::fmt::Debug for Fresh<K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, T: Clone> Fresh<K, T> {
    /// An answer of `ask` that was begun after this call, by us or by another with the same key.
    pub async fn get(&self, key: K, ask: impl AsyncFnOnce() -> T) -> T {
        let slot = self.slot(key);
        let begun_before = slot.begun.load(Ordering::SeqCst);
        let mut last = slot.last.lock().await;
        if let Some((number, answer)) = &*last
            && *number > begun_before
        {
            return answer.clone();
        }
        let number = slot.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = ask().await;
        *last = Some((number, answer.clone()));
        answer
    }

    fn slot(&self, key: K) -> Arc<Slot<T>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // A slot that only the map holds has nobody waiting; its answer is of no use to later askers.
        slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        let empty = || Arc::new(Slot { begun: AtomicU64::new(0), last: tokio::sync::Mutex::new(None) });
        slots.entry(key).or_insert_with(empty).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_at_once_share_but_nobody_gets_an_older_answer() {
        let fresh = Fresh::<&str, u64>::default();
        let asked = AtomicU64::new(0);
        let (entered, release) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
        let first = fresh.get("k", async || {
            entered.notify_one();
            release.notified().await;
            asked.fetch_add(1, Ordering::SeqCst)
        });
        let later = async {
            entered.notified().await;
            let gets = (0..20).map(|_| fresh.get("k", async || asked.fetch_add(1, Ordering::SeqCst)));
            let all = futures_util::future::join_all(gets);
            let (all, ()) = tokio::join!(all, async { release.notify_one() });
            all
        };
        let (first, later) = tokio::join!(first, later);
        assert_eq!(first, 0);
        assert_eq!(later, [1; 20], "they asked after the first asking had begun");
        assert_eq!(fresh.get("k", async || asked.fetch_add(1, Ordering::SeqCst)).await, 2);
        assert_eq!(fresh.slots.lock().unwrap().len(), 1);
    }
}
