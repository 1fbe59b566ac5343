//! The commands: each looks at the state and answers with the changes it wants, or refuses. Pure; the
//! writer runs them one after another, so what a command saw is still so when its changes are made.

use super::{
    entities::{BlobLink, ManifestRecord, RepositoryKey, RepositorySettings, TagRecord},
    index::{Change, Index, Repository},
};
use crate::{
    digest::Digest,
    events::ImagePushed,
    name::{Reference, Tag},
};

/// What a command decided.
#[derive(Debug)]
pub struct Decision<T> {
    pub changes: Vec<Change>,
    /// Told to subscribers after the commit.
    pub pushed: Vec<ImagePushed>,
    pub outcome: T,
}

impl<T> Decision<T> {
    fn new(changes: Vec<Change>, outcome: T) -> Self {
        Self { changes, pushed: Vec::new(), outcome }
    }
}

/// A change somebody asks for.
pub trait Command: Send + 'static {
    type Outcome: Send + 'static;

    fn decide(self, index: &Index) -> Result<Decision<Self::Outcome>, Refusal>;
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // ECR's wording, which docker shows to its user.
    #[error("The repository with name '{}' does not exist in the registry with id '{}'", .0.name, .0.scope.account)]
    RepositoryUnknown(RepositoryKey),
    #[error("The repository with name '{}' already exists in the registry with id '{}'", .0.name, .0.scope.account)]
    RepositoryExists(RepositoryKey),
    #[error("The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images", .0.name, .0.scope.account)]
    RepositoryNotEmpty(RepositoryKey),
    #[error("The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the repository is immutable.", repository.name)]
    TagImmutable { repository: RepositoryKey, tag: Tag },
    #[error("The blob '{0}' is not in the repository")]
    BlobUnknown(Digest),
    #[error("The manifest '{0}' is not in the repository")]
    ManifestUnknown(String),
    #[error("The manifest references what the repository does not have: {}", list(.0))]
    ReferencesUnknown(Vec<MissingReference>),
    #[error("The manifest says that '{digest}' has {said} bytes, but it has {actual}")]
    SizeMismatch { digest: Digest, said: u64, actual: u64 },
}

/// A manifest's descriptor that points at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingReference {
    pub digest: Digest,
    pub is_manifest: bool,
}

fn list(missing: &[MissingReference]) -> String {
    let digests: Vec<&str> = missing.iter().map(|m| m.digest.as_str()).collect();
    digests.join(", ")
}

fn find<'a>(index: &'a Index, key: &RepositoryKey) -> Result<&'a Repository, Refusal> {
    index.repository(key).ok_or_else(|| Refusal::RepositoryUnknown(key.clone()))
}

#[derive(Debug)]
pub struct CreateRepository {
    pub key: RepositoryKey,
    pub settings: RepositorySettings,
}

impl Command for CreateRepository {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if index.repository(&self.key).is_some() {
            return Err(Refusal::RepositoryExists(self.key));
        }
        let change = Change::PutRepository(self.key, self.settings);
        Ok(Decision::new(vec![change], ()))
    }
}

/// Replaces settings of a repository that exists; gives the new ones.
pub struct ChangeSettings<F> {
    pub key: RepositoryKey,
    pub edit: F,
}

impl<F> Command for ChangeSettings<F>
where
    F: FnOnce(&mut RepositorySettings) + Send + 'static,
{
    type Outcome = RepositorySettings;

    fn decide(self, index: &Index) -> Result<Decision<RepositorySettings>, Refusal> {
        let mut settings = find(index, &self.key)?.settings.clone();
        (self.edit)(&mut settings);
        let change = Change::PutRepository(self.key, settings.clone());
        Ok(Decision::new(vec![change], settings))
    }
}

#[derive(Debug)]
pub struct DeleteRepository {
    pub key: RepositoryKey,
    /// Delete its images too.
    pub force: bool,
}

impl Command for DeleteRepository {
    type Outcome = RepositorySettings;

    fn decide(self, index: &Index) -> Result<Decision<RepositorySettings>, Refusal> {
        let repository = find(index, &self.key)?;
        if !repository.manifests.is_empty() && !self.force {
            return Err(Refusal::RepositoryNotEmpty(self.key));
        }
        let key = || self.key.clone();
        let tags = repository.tags.keys();
        let manifests = repository.manifests.keys();
        let blobs = repository.blobs.keys();
        let changes = tags
            .map(|t| Change::DeleteTag(key(), t.clone()))
            .chain(manifests.map(|d| Change::DeleteManifest(key(), d.clone())))
            .chain(blobs.map(|d| Change::DeleteBlob(key(), d.clone())))
            .chain([Change::DeleteRepository(key())])
            .collect();
        Ok(Decision::new(changes, repository.settings.clone()))
    }
}

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

/// Cross-repository mount. Without `from`, any repository of the same registry will do.
#[derive(Debug)]
pub struct MountBlob {
    pub key: RepositoryKey,
    pub from: Option<RepositoryKey>,
    pub digest: Digest,
    pub now_ms: u64,
}

impl Command for MountBlob {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        find(index, &self.key)?;
        let unknown = || Refusal::BlobUnknown(self.digest.clone());
        let source = match &self.from {
            Some(from) => index.repository(from).and_then(|r| r.blobs.get(&self.digest)),
            None => index.repositories_of(&self.key.scope, None).find_map(|(_, r)| r.blobs.get(&self.digest)),
        };
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
        let mut moved = Vec::new();
        for tag in &self.tags {
            match repository.tags.get(tag) {
                Some(at) if at.digest == self.digest => continue,
                Some(_) if !repository.settings.mutability.may_move(tag) => {
                    return Err(Refusal::TagImmutable { repository: self.key, tag: tag.clone() });
                }
                _ if moved.contains(tag) => {}
                _ => moved.push(tag.clone()),
            }
        }
        let known = repository.manifests.get(&self.digest);
        // The same bytes under another media type would be another image under one digest.
        let is_new = known.is_none_or(|m| m.media_type != self.record.media_type);
        let now_ms = self.record.pushed_at_ms;
        let mut changes = Vec::new();
        if is_new {
            changes.push(Change::PutManifest(self.key.clone(), self.digest.clone(), self.record));
        }
        let pushed = |tag: Option<Tag>| ImagePushed {
            account: self.key.scope.account.clone(),
            region: self.key.scope.region.clone(),
            repository: self.key.name.clone(),
            tag,
            digest: self.digest.clone(),
        };
        let mut events: Vec<_> = moved.iter().map(|t| pushed(Some(t.clone()))).collect();
        if is_new && self.tags.is_empty() {
            events.push(pushed(None));
        }
        changes.extend(moved.into_iter().map(|tag| {
            let record = TagRecord { digest: self.digest.clone(), pushed_at_ms: now_ms };
            Change::PutTag(self.key.clone(), tag, record)
        }));
        let changed = !changes.is_empty();
        Ok(Decision { changes, pushed: events, outcome: ManifestPut { changed } })
    }
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
