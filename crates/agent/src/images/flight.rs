//! One run for many askers: whoever asks for what is under way already waits for that run's result.

use super::error::PullError;
use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

type Outcome<T> = Result<T, PullError>;
type Run<T> = BoxFuture<'static, Outcome<T>>;

/// Runs under way, by key. A run goes on in its own task as long as somebody waits for it, and is stopped
/// when the last one stops waiting.
pub(super) struct Flights<K, T: Clone> {
    running: Mutex<HashMap<K, WeakShared<Run<T>>>>,
}

impl<K, T: Clone> std::fmt::Debug for Flights<K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

impl<K, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        Self { running: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash + Clone, T: Clone + Send + Sync + 'static> Flights<K, T> {
    /// The result of the run for `key`: of the one under way, or of `start`'s.
    ///
    /// A failure of somebody else's run is not ours: they may have asked another registry or with other
    /// credentials, so then we run ourselves.
    pub async fn join<F>(&self, key: K, start: impl Fn() -> F) -> Outcome<T>
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        loop {
            let (run, is_ours) = self.find_or_start(&key, &start);
            match run.await {
                Err(_) if !is_ours => {}
                outcome => return outcome,
            }
        }
    }

    fn find_or_start<F>(&self, key: &K, start: impl Fn() -> F) -> (Shared<Run<T>>, bool)
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = running.get(key).and_then(WeakShared::upgrade)
            && run.peek().is_none()
        {
            return (run, false);
        }
        let task = AbortOnDrop(tokio::spawn(start()));
        let run = async move { task.outcome().await }.boxed().shared();
        running.retain(|_, run| run.upgrade().is_some());
        if let Some(weak) = run.downgrade() {
            running.insert(key.clone(), weak);
        }
        (run, true)
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<Outcome<T>>);

impl<T> AbortOnDrop<T> {
    async fn outcome(mut self) -> Outcome<T> {
        (&mut self.0).await.unwrap_or(Err(PullError::Interrupted))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    #[tokio::test]
    async fn askers_of_one_key_share_a_run() {
        let flights = Flights::<&str, u32>::default();
        let runs = Arc::new(AtomicU32::new(0));
        let start = || {
            let runs = runs.clone();
            async move {
                tokio::task::yield_now().await;
                Ok(runs.fetch_add(1, Ordering::SeqCst))
            }
        };
        let (a, b, c) =
            tokio::join!(flights.join("k", start), flights.join("k", start), flights.join("other", start));
        assert_eq!(a.unwrap(), b.unwrap());
        c.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        flights.join("k", start).await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 3, "a finished run is not used again");
    }

    #[tokio::test]
    async fn the_failure_of_anothers_run_is_not_ours() {
        let flights = Flights::<&str, u32>::default();
        let runs = Arc::new(AtomicU32::new(0));
        let start = || {
            let runs = runs.clone();
            async move {
                tokio::task::yield_now().await;
                match runs.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(PullError::Interrupted),
                    n => Ok(n),
                }
            }
        };
        let (a, b) = tokio::join!(flights.join("k", start), flights.join("k", start));
        assert!(a.is_err());
        assert_eq!(b.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_run_stops_when_nobody_waits() {
        let flights = Flights::<&str, u32>::default();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let sender = Mutex::new(Some(sender));
        let waiting = flights.join("k", || {
            let sender = sender.lock().unwrap().take();
            async move {
                let _kept = sender;
                std::future::pending().await
            }
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), waiting).await.is_err());
        assert!(receiver.await.is_err(), "the run's task was dropped");
    }
}
