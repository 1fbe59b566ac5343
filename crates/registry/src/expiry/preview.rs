//! Previews: what a policy would do, evaluated once and kept in memory until the next one of the repository.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Shared,
    lifecycle::{Affected, Policy, affected, in_use::spared},
    state::entities::RepositoryKey,
};

/// The last preview of each repository.
#[derive(Default)]
pub struct Previews {
    last: Mutex<HashMap<RepositoryKey, Preview>>,
    count: AtomicU64,
}

#[derive(Clone)]
pub struct Preview {
    /// No two have the same.
    pub number: u64,
    /// Of the repository when it began: one that was made anew has no preview.
    pub created_at_ms: u64,
    /// The policy.
    pub text: String,
    pub state: Previewed,
}

#[derive(Clone)]
pub enum Previewed {
    InProgress,
    /// What would expire or be archived, the oldest first.
    Complete(Arc<Vec<Affected>>),
    Failed,
}

/// The one before has not ended.
#[derive(Debug)]
pub struct PreviewRunning;

impl Previews {
    pub fn get(&self, key: &RepositoryKey) -> Option<Preview> {
        self.lock().get(key).cloned()
    }

    /// Begins to evaluate; gives back at once.
    pub fn start(
        shared: &Arc<Shared>,
        key: RepositoryKey,
        text: String,
        policy: Policy,
        created_at_ms: u64,
    ) -> Result<(), PreviewRunning> {
        let previews = &shared.previews;
        let number = previews.count.fetch_add(1, Ordering::Relaxed);
        {
            let mut last = previews.lock();
            let before = last.get(&key).filter(|before| before.created_at_ms == created_at_ms);
            if before.is_some_and(|before| matches!(before.state, Previewed::InProgress)) {
                return Err(PreviewRunning);
            }
            let preview = Preview { number, created_at_ms, text, state: Previewed::InProgress };
            last.insert(key.clone(), preview);
        }
        let running = Running { shared: shared.clone(), key, number };
        tokio::task::spawn_blocking(move || {
            if let Some(found) = evaluate(&running.shared, &running.key, &policy) {
                running.end(Previewed::Complete(Arc::new(found)));
            }
        });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RepositoryKey, Preview>> {
        // Each change is one assignment: a panic leaves nothing half done.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` where what is in use isn't known yet, or the repository has gone.
fn evaluate(shared: &Shared, key: &RepositoryKey, policy: &Policy) -> Option<Vec<Affected>> {
    let index = shared.writer.index();
    let repository = index.repository(key)?;
    let spared = spared(key, repository, &shared.in_use.now()?);
    Some(affected(policy, repository, &spared, shared.now_ms()))
}

/// A preview that is in progress; it has failed if it ends without a word.
struct Running {
    shared: Arc<Shared>,
    key: RepositoryKey,
    number: u64,
}

impl Running {
    fn end(&self, state: Previewed) {
        let mut last = self.shared.previews.lock();
        let own = last.get_mut(&self.key).filter(|preview| preview.number == self.number);
        if let Some(preview) = own.filter(|preview| matches!(preview.state, Previewed::InProgress)) {
            preview.state = state;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Previewed::Failed);
    }
}
