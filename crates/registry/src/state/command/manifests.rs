//! Manifests and the tags that stand at them: put, and deleted as OCI has it.

use super::{Command, Decision, MissingReference, Refusal, find, replication::Replicating};
use crate::{
    digest::Digest,
    name::{Reference, Tag},
    push::Push,
    state::{
        entities::{BlobLink, ManifestRecord, RepositoryKey, TagRecord},
        index::{Change, Index, Repository},
    },
};

/// What a manifest says of one thing it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub digest: Digest,
    pub size: u64,
    pub is_manifest: bool,
}

/// A manifest whose bytes are verified and in place, and the tags that shall stand at it.
#[derive(Debug)]
pub struct PutManifest {
    pub key: RepositoryKey,
    pub digest: Digest,
    pub record: ManifestRecord,
    pub needs: Vec<Needed>,
    pub tags: Vec<Tag>,
    pub origin: Origin,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Pushed,
    /// A pull through the cache: nobody has pushed anything, and nothing is deployed by it.
    Upstream,
    /// Another server's registry: it isn't brought any further.
    Replicated,
}

/// Whether anything is different after a [`PutManifest`]. ECR's `PutImage` refuses when not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestPut {
    pub changed: bool,
}

impl Command for PutManifest {
    type Outcome = ManifestPut;

    fn decide(self, index: &Index) -> Result<Decision<ManifestPut>, Refusal> {
        let repository = find(index, &self.key)?;
        check_needs(repository, &self.needs)?;
        let moved = moved_tags(repository, &self.digest, &self.tags)
            .map_err(|tag| Refusal::TagImmutable { repository: self.key.clone(), tag })?;
        let known = repository.manifests.get(&self.digest);
        // The same bytes under another media type would be another image under one digest.
        let is_new = known.is_none_or(|m| m.media_type != self.record.media_type);
        let is_archived = known.is_some_and(ManifestRecord::is_archived);
        let now_ms = self.record.pushed_at_ms;
        let is_pushed = self.origin != Origin::Upstream;
        let mut changes = Vec::new();
        let mut next_push = index.newest_push() + 1;
        for tag in &moved {
            let digest = self.digest.clone();
            let checked_upstream_ms = (!is_pushed).then_some(now_ms);
            let record = TagRecord { digest: digest.clone(), pushed_at_ms: now_ms, checked_upstream_ms };
            changes.push(Change::PutTag(self.key.clone(), tag.clone(), record));
            if is_pushed {
                let push = Push::of(&self.key.scope, &self.key.name, tag.clone(), digest, &self.record);
                changes.push(Change::PutPush(next_push, push));
                next_push += 1;
            }
        }
        let mut record = match known.filter(|_| !is_new) {
            Some(known) => known.clone(),
            None => self.record,
        };
        // Who pushes what is archived brings it back (ECR user guide, "Restoring an image").
        if is_archived {
            record = record.activated(now_ms);
        }
        let comes = self.origin == Origin::Pushed && (is_new || is_archived || !moved.is_empty());
        let (copies, replicated) = match comes {
            true => Replicating {
                key: &self.key,
                digest: &self.digest,
                record: &record,
                tags: &self.tags,
                now_ms,
            }
            .decide(index, next_push),
            false => Default::default(),
        };
        let is_replicated = !replicated.is_empty();
        record.replicated.extend(replicated);
        if is_new || is_archived || is_replicated {
            changes.push(Change::PutManifest(self.key, self.digest, record));
        }
        changes.extend(copies);
        let changed = !changes.is_empty();
        Ok(Decision::new(changes, ManifestPut { changed }))
    }
}

/// Those of the tags that don't stand at the manifest yet, each once; or the one that may not be moved there.
pub(super) fn moved_tags(repository: &Repository, digest: &Digest, tags: &[Tag]) -> Result<Vec<Tag>, Tag> {
    let mut moved = Vec::new();
    for tag in tags {
        match repository.tags.get(tag) {
            Some(at) if at.digest == *digest => {}
            Some(_) if !repository.settings.mutability.may_move(tag) => return Err(tag.clone()),
            _ if moved.contains(tag) => {}
            _ => moved.push(tag.clone()),
        }
    }
    Ok(moved)
}

fn check_needs(repository: &Repository, needs: &[Needed]) -> Result<(), Refusal> {
    let actual = |need: &Needed| {
        if need.is_manifest {
            repository.manifests.get(&need.digest).map(|m| m.size)
        } else {
            repository.blobs.get(&need.digest).map(|b| b.size)
        }
    };
    let missing: Vec<MissingReference> = needs
        .iter()
        .filter(|need| actual(need).is_none())
        .map(|need| MissingReference { digest: need.digest.clone(), is_manifest: need.is_manifest })
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::ReferencesUnknown(missing));
    }
    let wrong =
        needs.iter().find_map(|need| actual(need).filter(|size| *size != need.size).map(|s| (need, s)));
    match wrong {
        Some((need, actual)) => {
            Err(Refusal::SizeMismatch { digest: need.digest.clone(), said: need.size, actual })
        }
        None => Ok(()),
    }
}

/// Removes a tag, or a manifest with all its tags (OCI distribution spec, "Content Management").
#[derive(Debug)]
pub struct DeleteReference {
    pub key: RepositoryKey,
    pub reference: Reference,
    pub now_ms: u64,
}

impl Command for DeleteReference {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let repository = find(index, &self.key)?;
        let changes = match &self.reference {
            Reference::Tag(tag) if repository.tags.contains_key(tag) => {
                vec![Change::DeleteTag(self.key, tag.clone())]
            }
            Reference::Digest(digest) if repository.manifests.contains_key(digest) => {
                remove_manifest(&self.key, repository, digest, self.now_ms)
            }
            Reference::Tag(tag) => return Err(Refusal::ManifestUnknown(tag.to_string())),
            Reference::Digest(d) => return Err(Refusal::ManifestUnknown(d.to_string())),
        };
        Ok(Decision::new(changes, ()))
    }
}

/// The manifest, its tags, and a fresh idle time for the blobs that nothing else names any more.
pub fn remove_manifest(
    key: &RepositoryKey,
    repository: &Repository,
    digest: &Digest,
    now_ms: u64,
) -> Vec<Change> {
    let tags = repository.tags_of(digest);
    let mut changes: Vec<Change> = tags.into_iter().map(|tag| Change::DeleteTag(key.clone(), tag)).collect();
    let named = |blob: &Digest| {
        let mut others = repository.manifests.iter().filter(|(d, _)| *d != digest);
        others.any(|(_, m)| m.references.contains(blob))
    };
    let references = repository.manifests.get(digest).map(|m| &m.references);
    for blob in references.into_iter().flatten() {
        if let Some(link) = repository.blobs.get(blob)
            && !named(blob)
        {
            let link = BlobLink { idle_since_ms: now_ms, ..link.clone() };
            changes.push(Change::PutBlob(key.clone(), blob.clone(), link));
        }
    }
    changes.push(Change::DeleteManifest(key.clone(), digest.clone()));
    changes
}
