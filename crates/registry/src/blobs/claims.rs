//! Who is about to bring a blob to the bucket, or to take it away: one at a time for each digest.
//!
//! A file is put in place by the writer itself, so that no removal can come between the bytes and their record. To a
//! bucket the way is too long for that. Instead, who stores a blob holds its claim from before the first byte to after
//! the commit, and a blob is removed only under its claim.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::digest::Digest;

type Locks = HashMap<Digest, Weak<AsyncMutex<()>>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    locks: Arc<Mutex<Locks>>,
}

/// Until it is dropped, nobody else stores or removes the blob.
#[derive(Debug)]
pub(super) struct Claim {
    digest: Digest,
    /// `None` only while it is being dropped.
    guard: Option<OwnedMutexGuard<()>>,
    claims: Claims,
}

impl Claims {
    /// Waits until nobody else has it.
    pub async fn claim(&self, digest: &Digest) -> Claim {
        let lock = self.lock_of(digest);
        self.held(digest, lock.lock_owned().await)
    }

    /// `None`: somebody has it.
    pub fn try_claim(&self, digest: &Digest) -> Option<Claim> {
        let lock = self.lock_of(digest);
        Some(self.held(digest, lock.try_lock_owned().ok()?))
    }

    fn held(&self, digest: &Digest, guard: OwnedMutexGuard<()>) -> Claim {
        Claim { digest: digest.clone(), guard: Some(guard), claims: self.clone() }
    }

    fn lock_of(&self, digest: &Digest) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks();
        if let Some(lock) = locks.get(digest).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(AsyncMutex::new(()));
        locks.insert(digest.clone(), Arc::downgrade(&lock));
        lock
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        // No holder of this lock can panic half way.
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.guard = None;
        let mut locks = self.claims.locks();
        if locks.get(&self.digest).is_some_and(|lock| lock.strong_count() == 0) {
            locks.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_nothing_stays() {
        let claims = Claims::default();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let held = claims.claim(&one).await;
        assert!(claims.try_claim(&one).is_none());
        assert!(claims.try_claim(&other).is_some());
        let waiting = tokio::spawn({
            let (claims, one) = (claims.clone(), one.clone());
            async move { claims.claim(&one).await.digest().clone() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), one);
        assert!(claims.locks().is_empty());
    }
}
