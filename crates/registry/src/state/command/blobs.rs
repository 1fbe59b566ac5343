//! Which blobs a repository may see.

use super::{Command, Decision, Refusal, find};
use crate::{
    digest::Digest,
    state::{
        entities::{BlobLink, RepositoryKey},
        index::{Change, Index},
    },
};

/// A blob whose bytes are verified and in place.
#[derive(Debug)]
pub struct LinkBlob {
    pub key: RepositoryKey,
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    pub now_ms: u64,
}

impl Command for LinkBlob {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        find(index, &self.key)?;
        let link = BlobLink { size: self.size, idle_since_ms: self.now_ms };
        let change = Change::PutBlob(self.key, self.digest, link);
        Ok(Decision::new(vec![change], ()))
    }
}

/// Cross-repository mount.
#[derive(Debug)]
pub struct MountBlob {
    pub key: RepositoryKey,
    pub from: RepositoryKey,
    pub digest: Digest,
    pub now_ms: u64,
}

impl Command for MountBlob {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        find(index, &self.key)?;
        let unknown = || Refusal::BlobUnknown(self.digest.clone());
        let source = index.repository(&self.from).and_then(|r| r.blobs.get(&self.digest));
        let link = BlobLink { size: source.ok_or_else(unknown)?.size, idle_since_ms: self.now_ms };
        let change = Change::PutBlob(self.key, self.digest, link);
        Ok(Decision::new(vec![change], ()))
    }
}

#[derive(Debug)]
pub struct UnlinkBlob {
    pub key: RepositoryKey,
    pub digest: Digest,
}

impl Command for UnlinkBlob {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if !find(index, &self.key)?.blobs.contains_key(&self.digest) {
            return Err(Refusal::BlobUnknown(self.digest));
        }
        let change = Change::DeleteBlob(self.key, self.digest);
        Ok(Decision::new(vec![change], ()))
    }
}

/// Unlinks blobs that no manifest has named for `grace_ms`. Gives how many.
#[derive(Debug)]
pub struct CollectBlobs {
    pub now_ms: u64,
    pub grace_ms: u64,
}

impl Command for CollectBlobs {
    type Outcome = usize;

    fn decide(self, index: &Index) -> Result<Decision<usize>, Refusal> {
        let mut changes = Vec::new();
        for (key, repository) in index.all() {
            let named: std::collections::BTreeSet<&Digest> =
                repository.manifests.values().flat_map(|m| &m.references).collect();
            let idle = repository.blobs.iter().filter(|(digest, link)| {
                !named.contains(digest) && self.now_ms.saturating_sub(link.idle_since_ms) >= self.grace_ms
            });
            changes.extend(idle.map(|(d, _)| Change::DeleteBlob(key.clone(), d.clone())));
        }
        let count = changes.len();
        Ok(Decision::new(changes, count))
    }
}
