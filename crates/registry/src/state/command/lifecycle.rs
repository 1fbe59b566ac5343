//! Lifecycle policies, and what they delete and archive.

use std::collections::BTreeSet;

use super::{Command, Decision, Refusal, find};
use crate::{
    digest::Digest,
    lifecycle::{
        Action, Affected, Policy, affected,
        in_use::{SharedUse, spared},
    },
    state::{
        entities::{BlobLink, LifecycleRecord, RepositoryKey},
        index::{Change, Index, Repository},
    },
};

/// Gives a repository another policy, whose text has been checked.
#[derive(Debug)]
pub struct PutLifecyclePolicy {
    pub key: RepositoryKey,
    pub text: String,
}

impl Command for PutLifecyclePolicy {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        find(index, &self.key)?;
        let record = LifecycleRecord { text: self.text, evaluated_at_ms: None };
        Ok(Decision::new(vec![Change::PutLifecycle(self.key, record)], ()))
    }
}

/// Takes a repository's policy away; gives it.
#[derive(Debug)]
pub struct DeleteLifecyclePolicy {
    pub key: RepositoryKey,
}

impl Command for DeleteLifecyclePolicy {
    type Outcome = LifecycleRecord;

    fn decide(self, index: &Index) -> Result<Decision<LifecycleRecord>, Refusal> {
        let record = find(index, &self.key)?.lifecycle.clone();
        let record = record.ok_or_else(|| Refusal::LifecycleUnknown(self.key.clone()))?;
        Ok(Decision::new(vec![Change::DeleteLifecycle(self.key)], record))
    }
}

/// Applies a repository's policy: what expires now goes, and what is to be archived is, in one commit. Gives both, the
/// oldest first; `None` where what is in use isn't known yet or the policy can't be read, and nothing was done.
pub struct ApplyLifecyclePolicy {
    pub key: RepositoryKey,
    pub now_ms: u64,
    /// Asked here, in the writer: the nearest to the commit that there is.
    pub in_use: SharedUse,
}

impl Command for ApplyLifecyclePolicy {
    type Outcome = Option<Vec<Affected>>;

    fn decide(self, index: &Index) -> Result<Decision<Self::Outcome>, Refusal> {
        let repository = find(index, &self.key)?;
        let record = repository.lifecycle.clone();
        let record = record.ok_or_else(|| Refusal::LifecycleUnknown(self.key.clone()))?;
        // Only texts that have been checked are kept, but another version may have checked this one.
        let (Some(used), Ok(policy)) = (self.in_use.now(), Policy::parse(&record.text)) else {
            return Ok(Decision::new(Vec::new(), None));
        };
        let spared = spared(&self.key, repository, &used);
        let affected = affected(&policy, repository, &spared, self.now_ms);
        let (gone, archived): (Vec<&Affected>, Vec<&Affected>) =
            affected.iter().partition(|image| image.action == Action::Expire);
        let mut changes = remove_all(&self.key, repository, &gone, self.now_ms);
        changes.extend(archived.into_iter().filter_map(|image| {
            let record = repository.manifests.get(&image.digest)?.archived(self.now_ms);
            Some(Change::PutManifest(self.key.clone(), image.digest.clone(), record))
        }));
        let record = LifecycleRecord { evaluated_at_ms: Some(self.now_ms), ..record };
        changes.push(Change::PutLifecycle(self.key, record));
        Ok(Decision::new(changes, Some(affected)))
    }
}

/// The images with their tags, and a fresh idle time for the blobs that none of the others names.
fn remove_all(key: &RepositoryKey, repository: &Repository, gone: &[&Affected], now_ms: u64) -> Vec<Change> {
    let digests: BTreeSet<&Digest> = gone.iter().map(|image| &image.digest).collect();
    let (going, staying): (Vec<_>, Vec<_>) =
        repository.manifests.iter().partition(|(digest, _)| digests.contains(digest));
    let named: BTreeSet<&Digest> = staying.into_iter().flat_map(|(_, m)| &m.references).collect();
    let idle: BTreeSet<&Digest> = going.into_iter().flat_map(|(_, m)| &m.references).collect();
    let blobs = idle.difference(&named).filter_map(|digest| repository.blobs.get_key_value(*digest));
    let blobs = blobs.map(|(digest, link)| {
        Change::PutBlob(key.clone(), digest.clone(), BlobLink { idle_since_ms: now_ms, ..link.clone() })
    });
    let images = gone.iter().flat_map(|image| {
        let tags = image.tags.iter().map(|tag| Change::DeleteTag(key.clone(), tag.clone()));
        tags.chain([Change::DeleteManifest(key.clone(), image.digest.clone())])
    });
    blobs.chain(images).collect()
}
