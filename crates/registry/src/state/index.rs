//! The registry's state in memory: persistent maps, so that a reader's snapshot costs nothing and a
//! refused change is undone by dropping it. Pure: no clock, no I/O.

use std::collections::BTreeMap;

use iam::PolicyKind;
use imbl::{HashMap, OrdMap, OrdSet};
use serde::Serialize;

use super::{
    entities::{
        BlobLink, CacheRuleRecord, LifecycleRecord, ManifestRecord, PolicyRecord, RegistrySettings,
        RepositoryKey, RepositorySettings, ScanningRecord, Scope, TagRecord, TemplateRecord,
    },
    guard::SetPolicy,
    keys::{Key, UnknownKey},
};
use crate::{
    digest::Digest,
    name::{Reference, RepositoryName, Tag},
    push::Push,
};

/// Everything of one repository.
#[derive(Clone, Debug)]
pub struct Repository {
    pub settings: RepositorySettings,
    pub tags: OrdMap<Tag, TagRecord>,
    pub manifests: OrdMap<Digest, ManifestRecord>,
    /// Subjects, with the manifests that name them.
    referrers: OrdMap<Digest, OrdSet<Digest>>,
    /// The link table: only these blobs exist, as far as this repository is concerned.
    pub blobs: OrdMap<Digest, BlobLink>,
    pub lifecycle: Option<LifecycleRecord>,
    pub policy: Option<SetPolicy>,
}

impl Repository {
    pub fn new(settings: RepositorySettings) -> Self {
        Self {
            settings,
            tags: OrdMap::new(),
            manifests: OrdMap::new(),
            referrers: OrdMap::new(),
            blobs: OrdMap::new(),
            lifecycle: None,
            policy: None,
        }
    }

    /// The manifest that a tag or digest means.
    pub fn resolve(&self, reference: &Reference) -> Option<(&Digest, &ManifestRecord)> {
        let digest = match reference {
            Reference::Digest(d) => d,
            Reference::Tag(t) => &self.tags.get(t)?.digest,
        };
        self.manifests.get_key_value(digest)
    }

    pub fn tags_of(&self, digest: &Digest) -> Vec<Tag> {
        self.tags.iter().filter(|(_, record)| record.digest == *digest).map(|(tag, _)| tag.clone()).collect()
    }

    /// Every tag, by the manifest it stands at.
    pub fn tags_by_digest(&self) -> BTreeMap<&Digest, Vec<&Tag>> {
        let mut by_digest: BTreeMap<&Digest, Vec<&Tag>> = BTreeMap::new();
        for (tag, record) in &self.tags {
            by_digest.entry(&record.digest).or_default().push(tag);
        }
        by_digest
    }

    /// ECR's `imageSizeInBytes`: of an index, the largest of its manifests (API reference, `ImageDetail`).
    pub fn image_size(&self, manifest: &ManifestRecord) -> u64 {
        self.image_size_within(manifest, 8)
    }

    fn image_size_within(&self, manifest: &ManifestRecord, depth: u8) -> u64 {
        if !manifest.is_index || depth == 0 {
            return manifest.content_size;
        }
        let members = manifest.references.iter();
        members
            .filter_map(|d| self.manifests.get(d))
            .map(|m| self.image_size_within(m, depth - 1))
            .max()
            .unwrap_or(0)
    }

    /// The manifests whose subject is `subject`, by digest.
    pub fn referrers_of<'a>(
        &'a self,
        subject: &'a Digest,
    ) -> impl Iterator<Item = (&'a Digest, &'a ManifestRecord)> {
        let named = self.referrers.get(subject).into_iter().flatten();
        named.filter_map(|digest| self.manifests.get_key_value(digest))
    }

    /// Returns whether it is a new one.
    pub fn put_manifest(&mut self, digest: &Digest, record: &ManifestRecord) -> bool {
        // A digest stands for one content, so a record that is put again has the same subject.
        if let Some(subject) = &record.subject {
            self.referrers.entry(subject.clone()).or_default().insert(digest.clone());
        }
        self.manifests.insert(digest.clone(), record.clone()).is_none()
    }

    /// Returns whether it was there.
    pub fn remove_manifest(&mut self, digest: &Digest) -> bool {
        let Some(gone) = self.manifests.remove(digest) else { return false };
        if let Some(subject) = gone.subject
            && let Some(named) = self.referrers.get_mut(&subject)
        {
            named.remove(digest);
            if named.is_empty() {
                self.referrers.remove(&subject);
            }
        }
        true
    }

    /// The indexes that hold `digest`.
    pub fn indexes_with<'a>(&'a self, digest: &'a Digest) -> impl Iterator<Item = &'a Digest> {
        self.manifests.iter().filter(|(_, m)| m.is_index && m.references.contains(digest)).map(|(d, _)| d)
    }
}

/// One change of one record. A command is a list of them; the store's batch is made from the same list.
#[derive(Clone, Debug)]
pub enum Change {
    PutRepository(RepositoryKey, RepositorySettings),
    DeleteRepository(RepositoryKey),
    PutTag(RepositoryKey, Tag, TagRecord),
    DeleteTag(RepositoryKey, Tag),
    PutManifest(RepositoryKey, Digest, ManifestRecord),
    DeleteManifest(RepositoryKey, Digest),
    PutBlob(RepositoryKey, Digest, BlobLink),
    DeleteBlob(RepositoryKey, Digest),
    PutLifecycle(RepositoryKey, LifecycleRecord),
    DeleteLifecycle(RepositoryKey),
    PutPolicy(RepositoryKey, PolicyRecord),
    DeletePolicy(RepositoryKey),
    PutRegistryPolicy(Scope, PolicyRecord),
    DeleteRegistryPolicy(Scope),
    PutScanning(Scope, ScanningRecord),
    PutRegistry(Scope, RegistrySettings),
    PutTemplate(Scope, String, TemplateRecord),
    DeleteTemplate(Scope, String),
    PutCacheRule(Scope, String, CacheRuleRecord),
    DeleteCacheRule(Scope, String),
    PutPush(u64, Push),
    DeletePush(u64),
}

/// The whole state at one revision.
#[derive(Clone, Debug, Default)]
pub struct Index {
    repositories: OrdMap<RepositoryKey, Repository>,
    registry_policies: OrdMap<Scope, SetPolicy>,
    scanning: OrdMap<Scope, ScanningRecord>,
    registries: OrdMap<Scope, RegistrySettings>,
    /// Creation templates, by their prefixes.
    templates: OrdMap<(Scope, String), TemplateRecord>,
    /// Pull through cache rules, by their prefixes.
    cache_rules: OrdMap<(Scope, String), CacheRuleRecord>,
    /// Images that are on their way to other servers.
    replicating: OrdSet<(RepositoryKey, Digest)>,
    /// How many links and manifests stand on each stored blob.
    uses: HashMap<Digest, u64>,
    /// The outbox, by number.
    pushes: OrdMap<u64, Push>,
}

/// What stands in the store is not what this crate wrote.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Key(#[from] UnknownKey),
    #[error("the record '{key}' does not read as what it should be")]
    Value {
        key: String,
        #[source]
        source: serde_json::Error,
    },
}

impl Index {
    /// Rebuilds the state from the store's entries, in any order. A record of a repository that isn't there is left out.
    pub fn load<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, LoadError> {
        let mut repositories = Vec::new();
        let mut rest = Vec::new();
        for (key, value) in entries.into_iter().filter(|(key, _)| !store::Outbox::holds(key)) {
            match key.parse()? {
                Key::Repository(r) => repositories.push(Change::PutRepository(r, read(key, value)?)),
                Key::Tag(r, t) => rest.push(Change::PutTag(r, t, read(key, value)?)),
                Key::Manifest(r, d) => rest.push(Change::PutManifest(r, d, read(key, value)?)),
                Key::Blob(r, d) => rest.push(Change::PutBlob(r, d, read(key, value)?)),
                Key::Lifecycle(r) => rest.push(Change::PutLifecycle(r, read(key, value)?)),
                Key::Policy(r) => rest.push(Change::PutPolicy(r, read(key, value)?)),
                Key::RegistryPolicy(s) => rest.push(Change::PutRegistryPolicy(s, read(key, value)?)),
                Key::Template(s, p) => rest.push(Change::PutTemplate(s, p, read(key, value)?)),
                Key::CacheRule(s, p) => rest.push(Change::PutCacheRule(s, p, read(key, value)?)),
                Key::Scanning(s) => rest.push(Change::PutScanning(s, read(key, value)?)),
                Key::Registry(s) => rest.push(Change::PutRegistry(s, read(key, value)?)),
                Key::Push(n) => rest.push(Change::PutPush(n, read(key, value)?)),
            }
        }
        let mut index = Self::default();
        for change in repositories.into_iter().chain(rest) {
            index.apply(&change);
        }
        Ok(index)
    }

    pub fn repository(&self, key: &RepositoryKey) -> Option<&Repository> {
        self.repositories.get(key)
    }

    /// A scope's repositories by name, beginning after `after`.
    pub fn repositories_of<'a>(
        &'a self,
        scope: &'a Scope,
        after: Option<&'a RepositoryName>,
    ) -> impl Iterator<Item = (&'a RepositoryName, &'a Repository)> {
        self.repositories
            .iter()
            .filter(move |(k, _)| k.scope == *scope && after.is_none_or(|a| k.name > *a))
            .map(|(k, r)| (&k.name, r))
    }

    pub fn registry_policy(&self, scope: &Scope) -> Option<&SetPolicy> {
        self.registry_policies.get(scope)
    }

    /// A registry's scanning configuration; where none was put, ECR's (API reference, `scanType`).
    pub fn scanning(&self, scope: &Scope) -> ScanningRecord {
        let basic = || ScanningRecord { scan_type: "BASIC".to_owned(), rules: Vec::new() };
        self.scanning.get(scope).cloned().unwrap_or_else(basic)
    }

    pub fn registry(&self, scope: &Scope) -> Option<&RegistrySettings> {
        self.registries.get(scope)
    }

    pub fn template(&self, scope: &Scope, prefix: &str) -> Option<&TemplateRecord> {
        self.templates.get(&(scope.clone(), prefix.to_owned()))
    }

    /// A scope's creation templates, by prefix.
    pub fn templates_of<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = (&'a String, &'a TemplateRecord)> {
        let all = self.templates.iter().filter(move |((s, _), _)| s == scope);
        all.map(|((_, prefix), template)| (prefix, template))
    }

    pub fn cache_rule(&self, scope: &Scope, prefix: &str) -> Option<&CacheRuleRecord> {
        self.cache_rules.get(&(scope.clone(), prefix.to_owned()))
    }

    /// A scope's pull through cache rules, by prefix.
    pub fn cache_rules_of<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = (&'a String, &'a CacheRuleRecord)> {
        let all = self.cache_rules.iter().filter(move |((s, _), _)| s == scope);
        all.map(|((_, prefix), rule)| (prefix, rule))
    }

    pub fn all(&self) -> impl Iterator<Item = (&RepositoryKey, &Repository)> {
        self.repositories.iter()
    }

    /// The pushes after a number, oldest first.
    pub fn pushes_after(&self, number: u64) -> impl Iterator<Item = (u64, &Push)> {
        self.pushes.range(number.saturating_add(1)..).map(|(number, push)| (*number, push))
    }

    /// The number of the last push; 0 before the first.
    pub fn newest_push(&self) -> u64 {
        self.pushes.get_max().map_or(0, |(number, _)| *number)
    }

    pub fn replicating(&self) -> impl Iterator<Item = &(RepositoryKey, Digest)> {
        self.replicating.iter()
    }

    /// Does anything stand on this stored blob?
    pub fn is_used(&self, digest: &Digest) -> bool {
        self.uses.contains_key(digest)
    }

    /// Makes the change. One that concerns a repository which isn't there changes nothing.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::PutRepository(key, settings) => match self.repositories.get_mut(key) {
                Some(repository) => repository.settings = settings.clone(),
                None => {
                    let repository = Repository::new(settings.clone());
                    self.repositories.insert(key.clone(), repository);
                }
            },
            Change::DeleteRepository(key) => {
                if let Some(gone) = self.repositories.remove(key) {
                    for digest in gone.manifests.keys() {
                        self.replicating.remove(&(key.clone(), digest.clone()));
                        self.release(digest);
                    }
                    gone.blobs.keys().for_each(|d| self.release(d));
                }
            }
            Change::PutTag(key, tag, record) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.tags.insert(tag.clone(), record.clone());
                }
            }
            Change::DeleteTag(key, tag) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.tags.remove(tag);
                }
            }
            Change::PutManifest(key, digest, record) => {
                let id = (key.clone(), digest.clone());
                match record.replicated.values().any(|replica| replica.pending.is_some()) {
                    true => drop(self.replicating.insert(id)),
                    false => drop(self.replicating.remove(&id)),
                }
                if let Some(r) = self.repositories.get_mut(key)
                    && r.put_manifest(digest, record)
                {
                    self.take(digest);
                }
            }
            Change::DeleteManifest(key, digest) => {
                self.replicating.remove(&(key.clone(), digest.clone()));
                if let Some(r) = self.repositories.get_mut(key)
                    && r.remove_manifest(digest)
                {
                    self.release(digest);
                }
            }
            Change::PutBlob(key, digest, link) => {
                if let Some(r) = self.repositories.get_mut(key)
                    && r.blobs.insert(digest.clone(), link.clone()).is_none()
                {
                    self.take(digest);
                }
            }
            Change::DeleteBlob(key, digest) => {
                if let Some(r) = self.repositories.get_mut(key)
                    && r.blobs.remove(digest).is_some()
                {
                    self.release(digest);
                }
            }
            Change::PutLifecycle(key, record) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.lifecycle = Some(record.clone());
                }
            }
            Change::DeleteLifecycle(key) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.lifecycle = None;
                }
            }
            Change::PutPolicy(key, record) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.policy = Some(SetPolicy::read(record, PolicyKind::Resource));
                }
            }
            Change::DeletePolicy(key) => {
                if let Some(r) = self.repositories.get_mut(key) {
                    r.policy = None;
                }
            }
            Change::PutRegistryPolicy(scope, record) => {
                let policy = SetPolicy::read(record, PolicyKind::Registry);
                self.registry_policies.insert(scope.clone(), policy);
            }
            Change::DeleteRegistryPolicy(scope) => drop(self.registry_policies.remove(scope)),
            Change::PutScanning(scope, record) => {
                self.scanning.insert(scope.clone(), record.clone());
            }
            Change::PutRegistry(scope, settings) => {
                self.registries.insert(scope.clone(), settings.clone());
            }
            Change::PutTemplate(scope, prefix, record) => {
                self.templates.insert((scope.clone(), prefix.clone()), record.clone());
            }
            Change::DeleteTemplate(scope, prefix) => {
                self.templates.remove(&(scope.clone(), prefix.clone()));
            }
            Change::PutCacheRule(scope, prefix, rule) => {
                self.cache_rules.insert((scope.clone(), prefix.clone()), rule.clone());
            }
            Change::DeleteCacheRule(scope, prefix) => {
                self.cache_rules.remove(&(scope.clone(), prefix.clone()));
            }
            Change::PutPush(number, push) => drop(self.pushes.insert(*number, push.clone())),
            Change::DeletePush(number) => drop(self.pushes.remove(number)),
        }
    }

    fn take(&mut self, digest: &Digest) {
        *self.uses.entry(digest.clone()).or_insert(0) += 1;
    }

    fn release(&mut self, digest: &Digest) {
        if let Some(uses) = self.uses.get_mut(digest) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(digest);
            }
        }
    }
}

impl Change {
    /// The store's view of the change: a key, and its new value or its absence.
    pub fn record(&self) -> (String, Option<Vec<u8>>) {
        match self {
            Self::PutRepository(r, v) => (Key::Repository(r.clone()).to_string(), Some(json(v))),
            Self::DeleteRepository(r) => (Key::Repository(r.clone()).to_string(), None),
            Self::PutTag(r, t, v) => (Key::Tag(r.clone(), t.clone()).to_string(), Some(json(v))),
            Self::DeleteTag(r, t) => (Key::Tag(r.clone(), t.clone()).to_string(), None),
            Self::PutManifest(r, d, v) => (Key::Manifest(r.clone(), d.clone()).to_string(), Some(json(v))),
            Self::DeleteManifest(r, d) => (Key::Manifest(r.clone(), d.clone()).to_string(), None),
            Self::PutBlob(r, d, v) => (Key::Blob(r.clone(), d.clone()).to_string(), Some(json(v))),
            Self::DeleteBlob(r, d) => (Key::Blob(r.clone(), d.clone()).to_string(), None),
            Self::PutLifecycle(r, v) => (Key::Lifecycle(r.clone()).to_string(), Some(json(v))),
            Self::DeleteLifecycle(r) => (Key::Lifecycle(r.clone()).to_string(), None),
            Self::PutPolicy(r, v) => (Key::Policy(r.clone()).to_string(), Some(json(v))),
            Self::DeletePolicy(r) => (Key::Policy(r.clone()).to_string(), None),
            Self::PutRegistryPolicy(s, v) => (Key::RegistryPolicy(s.clone()).to_string(), Some(json(v))),
            Self::DeleteRegistryPolicy(s) => (Key::RegistryPolicy(s.clone()).to_string(), None),
            Self::PutScanning(s, v) => (Key::Scanning(s.clone()).to_string(), Some(json(v))),
            Self::PutRegistry(s, v) => (Key::Registry(s.clone()).to_string(), Some(json(v))),
            Self::PutTemplate(s, p, v) => (Key::Template(s.clone(), p.clone()).to_string(), Some(json(v))),
            Self::DeleteTemplate(s, p) => (Key::Template(s.clone(), p.clone()).to_string(), None),
            Self::PutCacheRule(s, p, v) => (Key::CacheRule(s.clone(), p.clone()).to_string(), Some(json(v))),
            Self::DeleteCacheRule(s, p) => (Key::CacheRule(s.clone(), p.clone()).to_string(), None),
            Self::PutPush(n, v) => (Key::Push(*n).to_string(), Some(json(v))),
            Self::DeletePush(n) => (Key::Push(*n).to_string(), None),
        }
    }

    /// The stored blob that may have become unused by this change.
    pub fn released(&self) -> Option<&Digest> {
        match self {
            Self::DeleteManifest(_, d) | Self::DeleteBlob(_, d) => Some(d),
            _ => None,
        }
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("records are plain structs with string keys: they always serialise")
}

fn read<T: serde::de::DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, LoadError> {
    serde_json::from_slice(value).map_err(|source| LoadError::Value { key: key.to_owned(), source })
}
