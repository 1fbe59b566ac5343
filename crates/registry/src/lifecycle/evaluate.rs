//! What a policy means for a repository at a moment (ECR user guide, "Lifecycle policy evaluation rules").

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::policy::{Keep, Policy};
use crate::{
    digest::Digest,
    name::Tag,
    state::{entities::ManifestRecord, index::Repository},
};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// An image that expires, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    pub digest: Digest,
    pub tags: Vec<Tag>,
    pub pushed_at_ms: u64,
    /// The rule's priority.
    pub rule: i32,
}

/// What expires now, the oldest first. `spared` are images that don't, whatever the rules say.
pub fn expiring(
    policy: &Policy,
    repository: &Repository,
    spared: &BTreeSet<Digest>,
    now_ms: u64,
) -> Vec<Expiring> {
    let tags = repository.tags_by_digest();
    let tags_of = |digest: &Digest| tags.get(digest).map(Vec::as_slice).unwrap_or_default();
    let mut marked = marked(policy, repository, tags_of, now_ms);
    marked.retain(|digest, _| !spared.contains(*digest));
    keep_members(repository, &mut marked);
    add_artifacts(repository, spared, &mut marked);
    let mut expiring: Vec<Expiring> = marked
        .into_iter()
        .filter_map(|(digest, rule)| {
            let pushed_at_ms = repository.manifests.get(digest)?.pushed_at_ms;
            let tags = tags_of(digest).iter().map(|tag| (*tag).clone()).collect();
            Some(Expiring { digest: digest.clone(), tags, pushed_at_ms, rule })
        })
        .collect();
    expiring.sort_by(|a, b| (a.pushed_at_ms, &a.digest).cmp(&(b.pushed_at_ms, &b.digest)));
    expiring
}

/// The rules alone. Each looks at all images, also at those that a rule before it marked; but an image that a rule
/// selects is marked by this rule or by none. An untagged artifact is part of the image that it refers to: no rule
/// selects or counts it. The rules are for the standard storage class: what is archived is none of theirs.
fn marked<'a>(
    policy: &Policy,
    repository: &'a Repository,
    tags_of: impl Fn(&Digest) -> &'a [&'a Tag],
    now_ms: u64,
) -> BTreeMap<&'a Digest, i32> {
    let is_part = |(digest, manifest): &(&Digest, &ManifestRecord)| {
        let subject = manifest.subject.as_ref().filter(|_| tags_of(digest).is_empty());
        subject.is_some_and(|subject| repository.manifests.contains_key(subject))
    };
    let mut images: Vec<(&Digest, &ManifestRecord)> =
        repository.manifests.iter().filter(|image| !is_part(image) && !image.1.is_archived()).collect();
    images.sort_by_key(|(digest, manifest)| (Reverse(manifest.pushed_at_ms), *digest));
    let mut marked = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for rule in &policy.rules {
        let selected = images.iter().filter(|(digest, _)| rule.selection.selects(tags_of(digest)));
        for (place, (digest, manifest)) in selected.enumerate() {
            let is_over = match rule.keep {
                Keep::Newest(count) => place >= usize::try_from(count).unwrap_or(usize::MAX),
                Keep::Days(days) => now_ms.saturating_sub(manifest.pushed_at_ms) > u64::from(days) * DAY_MS,
            };
            if seen.insert(*digest) && is_over {
                marked.insert(*digest, rule.priority);
            }
        }
    }
    marked
}

/// An image doesn't expire before the indexes that hold it.
fn keep_members(repository: &Repository, marked: &mut BTreeMap<&Digest, i32>) {
    let staying =
        repository.manifests.iter().filter(|(digest, m)| m.is_index && !marked.contains_key(digest));
    let mut indexes: Vec<&ManifestRecord> = staying.map(|(_, manifest)| manifest).collect();
    while let Some(index) = indexes.pop() {
        for member in &index.references {
            if marked.remove(member).is_some() {
                indexes.extend(repository.manifests.get(member).filter(|m| m.is_index));
            }
        }
    }
}

/// What refers to an image that expires (signatures, attestations) goes with it, if no index holds it.
fn add_artifacts<'a>(
    repository: &'a Repository,
    spared: &BTreeSet<Digest>,
    marked: &mut BTreeMap<&'a Digest, i32>,
) {
    let held: BTreeSet<&Digest> =
        repository.manifests.values().filter(|m| m.is_index).flat_map(|m| &m.references).collect();
    let subjects =
        |(digest, manifest): (&'a Digest, &'a ManifestRecord)| Some((digest, manifest.subject.as_ref()?));
    let artifacts: Vec<(&Digest, &Digest)> = repository.manifests.iter().filter_map(subjects).collect();
    // An artifact may be about an artifact.
    loop {
        let before = marked.len();
        for (digest, subject) in &artifacts {
            let Some(rule) = marked.get(subject).copied() else { continue };
            if !spared.contains(*digest) && !held.contains(digest) {
                marked.entry(*digest).or_insert(rule);
            }
        }
        if marked.len() == before {
            return;
        }
    }
}
