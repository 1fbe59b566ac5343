//! Policies are read, and mean what AWS's user guide says.

mod examples;
mod properties;
mod texts;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    digest::Digest,
    name::Tag,
    state::{
        entities::{
            Archive, ManifestRecord, Mutability, RepositoryKey, RepositorySettings, Scope, TagRecord,
        },
        index::Repository,
    },
};

const DAY_MS: u64 = 24 * 3600 * 1000;
const NOW_MS: u64 = 1_790_000_000_000;

/// A rule's JSON, with other members of its selection.
fn rule(priority: u32, selection: Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

/// A rule whose images come into the archive.
fn archiving(priority: u32, selection: Value) -> Value {
    let action = json!({"type": "transition", "targetStorageClass": "archive"});
    json!({"rulePriority": priority, "selection": selection, "action": action})
}

fn policy(rules: &[Value]) -> String {
    json!({"rules": rules}).to_string()
}

fn key() -> RepositoryKey {
    let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
    RepositoryKey { scope, name: "app".parse().unwrap() }
}

/// The digest of the image that tests call by this name.
fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// An image by name.
#[derive(Clone, Debug, Default)]
struct Picture {
    name: String,
    days_old: u64,
    tags: Vec<String>,
    /// Of an index.
    members: Vec<String>,
    subject: Option<String>,
    pulled_days_ago: Option<u64>,
    /// It is in the archive.
    archived_days_ago: Option<u64>,
    /// It was there.
    back_days_ago: Option<u64>,
}

impl Picture {
    fn new(name: &str, days_old: u64, tags: &[&str]) -> Self {
        let tags = tags.iter().map(ToString::to_string).collect();
        Self { name: name.to_owned(), days_old, tags, ..Self::default() }
    }

    fn of(self, members: &[&str]) -> Self {
        Self { members: members.iter().map(ToString::to_string).collect(), ..self }
    }

    fn archived(self, days_ago: u64) -> Self {
        Self { archived_days_ago: Some(days_ago), ..self }
    }

    fn about(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }
}

fn repository(pictures: &[Picture]) -> Repository {
    let mut repository = Repository::new(RepositorySettings {
        created_at_ms: 0,
        mutability: Mutability { immutable: false, exclusions: Vec::new() },
        scan_on_push: false,
        encryption_type: "AES256".to_owned(),
        kms_key: None,
        tags: BTreeMap::new(),
    });
    let ago = |days: u64| NOW_MS - days * DAY_MS;
    for picture in pictures {
        let pushed_at_ms = ago(picture.days_old);
        let record = ManifestRecord {
            media_type: String::new(),
            size: 1,
            pushed_at_ms,
            pulled_at_ms: picture.pulled_days_ago.map(ago),
            references: picture.members.iter().map(|name| digest(name)).collect(),
            content_size: 1,
            artifact_type: None,
            subject: picture.subject.as_deref().map(digest),
            annotations: BTreeMap::new(),
            is_index: !picture.members.is_empty(),
            archive: picture.archived_days_ago.or(picture.back_days_ago).map(|days| Archive {
                is_in: picture.archived_days_ago.is_some(),
                archived_at_ms: Some(ago(days)),
                activated_at_ms: picture.back_days_ago.map(ago),
            }),
            ..ManifestRecord::default()
        };
        repository.put_manifest(&digest(&picture.name), &record);
        for tag in &picture.tags {
            let tag: Tag = tag.parse().unwrap();
            let digest = digest(&picture.name);
            repository.tags.insert(tag, TagRecord { digest, pushed_at_ms, checked_upstream_ms: None });
        }
    }
    repository
}
