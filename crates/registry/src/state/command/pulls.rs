//! When an image was last pulled.

use super::{Command, Decision, Refusal, find};
use crate::{
    digest::Digest,
    state::{
        entities::{ManifestRecord, RepositoryKey},
        index::{Change, Index},
    },
};

/// Notes that an image was pulled, to the day (ECR's `lastRecordedPullTime`).
#[derive(Debug)]
pub struct RecordPull {
    pub key: RepositoryKey,
    pub digest: Digest,
    pub now_ms: u64,
}

/// ECR refreshes the pull time at most once in 24 hours (API reference, `ImageDetail`).
pub const PULL_RECORD_MS: u64 = 24 * 3600 * 1000;

impl ManifestRecord {
    /// Is a pull at `now_ms` worth a write?
    pub fn pull_is_news(&self, now_ms: u64) -> bool {
        self.pulled_at_ms.is_none_or(|at| now_ms.saturating_sub(at) >= PULL_RECORD_MS)
    }
}

impl Command for RecordPull {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let repository = find(index, &self.key)?;
        let changes = match repository.manifests.get(&self.digest) {
            Some(record) if record.pull_is_news(self.now_ms) => {
                let record = ManifestRecord { pulled_at_ms: Some(self.now_ms), ..record.clone() };
                vec![Change::PutManifest(self.key, self.digest, record)]
            }
            _ => Vec::new(),
        };
        Ok(Decision::new(changes, ()))
    }
}
