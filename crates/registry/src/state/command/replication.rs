//! Bringing an image to other registries. To the other regions of this server it is records only, since the bytes are
//! there already, and they are committed with the push itself. What is to go to another server is noted in the image's
//! record by the same commit (`crate::replication` does it), so that no state of it is lost or half done.

use std::collections::{BTreeMap, BTreeSet};

use super::{Command, CreateFor, Decision, Refusal, manifests::moved_tags};
use crate::{
    digest::Digest,
    name::Tag,
    push::Push,
    state::{
        entities::{BlobLink, DestinationRecord, ManifestRecord, Replica, RepositoryKey, Scope, TagRecord},
        index::{Change, Index, Repository},
    },
};

/// The scenario of an image that comes from another region.
pub const REPLICATION: &str = "REPLICATION";
/// Why an image is not there: a tag of its may not be moved.
pub const TAG_IMMUTABLE: &str = "ImageTagAlreadyExists";

/// An image that has just come to a repository.
pub(super) struct Replicating<'a> {
    pub key: &'a RepositoryKey,
    pub digest: &'a Digest,
    pub record: &'a ManifestRecord,
    pub tags: &'a [Tag],
    pub now_ms: u64,
}

/// What came of it, by destination (`account/region`).
type Outcomes = BTreeMap<String, Replica>;

impl Replicating<'_> {
    /// The changes that bring it to each destination of the registry's rules, and what is to be told of them. `number` is
    /// the next push's.
    pub fn decide(&self, index: &Index, mut number: u64) -> (Vec<Change>, Outcomes) {
        let mut changes = Vec::new();
        let mut outcomes = Outcomes::new();
        for DestinationRecord { scope, is_elsewhere } in destinations(index, self.key) {
            let place = scope.to_string();
            let mut replica = Replica::default();
            if is_elsewhere {
                let before = self.record.replicated.get(&place).and_then(|replica| replica.pending.as_ref());
                let mut tags = before.cloned().unwrap_or_default();
                tags.extend(self.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
                replica.pending = Some(tags);
            } else {
                match self.to(index, scope, &mut number) {
                    Ok(more) => changes.extend(more),
                    Err(why) => replica.failure = Some(why),
                }
            }
            outcomes.insert(place, replica);
        }
        (changes, outcomes)
    }

    fn to(&self, index: &Index, scope: Scope, number: &mut u64) -> Result<Vec<Change>, String> {
        let key = RepositoryKey { scope, name: self.key.name.clone() };
        let now_ms = self.now_ms;
        let create = CreateFor { key: key.clone(), scenario: REPLICATION, always: true, now_ms };
        let mut changes = create.decide(index).map_err(|refusal| refusal.to_string())?.changes;
        // What a template has just made is asked like what was there.
        let mut made = index.clone();
        changes.iter().for_each(|change| made.apply(change));
        let there = made.repository(&key).ok_or_else(|| TAG_IMMUTABLE.to_owned())?;
        let moved = moved_tags(there, self.digest, self.tags).map_err(|_| TAG_IMMUTABLE.to_owned())?;
        let mut copy =
            Copy { from: index.repository(self.key), there, key: &key, now_ms, changes: Vec::new() };
        copy.manifest(self.digest, self.record);
        changes.append(&mut copy.changes);
        for tag in moved {
            let (digest, record) = (self.digest.clone(), self.record);
            let push = Push {
                pushed_at_ms: now_ms,
                ..Push::of(&key.scope, &key.name, tag.clone(), digest.clone(), record)
            };
            let record = TagRecord { digest, pushed_at_ms: now_ms, checked_upstream_ms: None };
            changes.push(Change::PutTag(key.clone(), tag, record));
            changes.push(Change::PutPush(*number, push));
            *number += 1;
        }
        Ok(changes)
    }
}

/// Where the rules of a registry bring a repository, each once.
fn destinations(index: &Index, key: &RepositoryKey) -> BTreeSet<DestinationRecord> {
    let rules = index.registry(&key.scope).into_iter().flat_map(|settings| &settings.replication);
    let fitting = rules.filter(|rule| match &rule.prefixes {
        Some(prefixes) => prefixes.iter().any(|prefix| key.name.as_str().starts_with(prefix)),
        None => true,
    });
    fitting.flat_map(|rule| &rule.destinations).filter(|to| to.scope != key.scope).cloned().collect()
}

struct Copy<'a> {
    from: Option<&'a Repository>,
    there: &'a Repository,
    key: &'a RepositoryKey,
    now_ms: u64,
    changes: Vec<Change>,
}

impl Copy<'_> {
    /// What a manifest needs, and then itself.
    fn manifest(&mut self, digest: &Digest, record: &ManifestRecord) {
        for needed in &record.references {
            let (blob, member) = match self.from {
                Some(from) => (from.blobs.get(needed), from.manifests.get(needed)),
                None => (None, None),
            };
            match (record.is_index, blob, member) {
                (true, _, Some(member)) if !self.there.manifests.contains_key(needed) => {
                    self.manifest(needed, &member.clone());
                }
                (false, Some(blob), _) if !self.there.blobs.contains_key(needed) => {
                    let link = BlobLink { size: blob.size, idle_since_ms: self.now_ms };
                    self.changes.push(Change::PutBlob(self.key.clone(), needed.clone(), link));
                }
                _ => {}
            }
        }
        if !self.there.manifests.contains_key(digest) {
            let record = ManifestRecord {
                pushed_at_ms: self.now_ms,
                pulled_at_ms: None,
                replicated: BTreeMap::new(),
                archive: None,
                ..record.clone()
            };
            self.changes.push(Change::PutManifest(self.key.clone(), digest.clone(), record));
        }
    }
}

/// Notes what came of bringing an image to another server.
#[derive(Debug)]
pub struct Replicated {
    pub key: RepositoryKey,
    pub digest: Digest,
    pub to: Scope,
    /// Those that were to be set there.
    pub tags: Vec<Tag>,
    pub failure: Option<String>,
}

impl Command for Replicated {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let found = index.repository(&self.key).and_then(|repository| repository.manifests.get(&self.digest));
        // Deleted meanwhile.
        let Some(mut record) = found.cloned() else { return Ok(Decision::new(Vec::new(), ())) };
        if let Some(replica) = record.replicated.get_mut(&self.to.to_string()) {
            // A push meanwhile has added tags.
            let rest = replica.pending.take().unwrap_or_default().into_iter();
            let rest: Vec<Tag> = rest.filter(|tag| !self.tags.contains(tag)).collect();
            replica.pending = (!rest.is_empty()).then_some(rest);
            replica.failure = self.failure;
        }
        Ok(Decision::new(vec![Change::PutManifest(self.key, self.digest, record)], ()))
    }
}
