//! What a policy means for a repository at a moment (ECR user guide, "Lifecycle policy evaluation rules").

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::policy::{Action, Keep, Policy};
use crate::{
    digest::Digest,
    name::Tag,
    state::{entities::ManifestRecord, index::Repository},
};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// An image that something becomes of, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    pub digest: Digest,
    pub tags: Vec<Tag>,
    pub pushed_at_ms: u64,
    /// As it is before.
    pub is_archived: bool,
    pub action: Action,
    /// The rule's priority.
    pub rule: i32,
}

/// By its rule's priority.
type Marked<'a> = BTreeMap<&'a Digest, (Action, i32)>;

/// What expires and what is archived now, the oldest first. Nothing becomes of `spared`, whatever the rules say.
pub fn affected(
    policy: &Policy,
    repository: &Repository,
    spared: &BTreeSet<Digest>,
    now_ms: u64,
) -> Vec<Affected> {
    let tags = repository.tags_by_digest();
    let tags_of = |digest: &Digest| tags.get(digest).map(Vec::as_slice).unwrap_or_default();
    let mut marked = marked(policy, repository, tags_of, now_ms);
    marked.retain(|digest, _| !spared.contains(*digest));
    keep_members(repository, &mut marked);
    add_artifacts(repository, spared, &mut marked);
    let mut affected: Vec<Affected> = marked
        .into_iter()
        .filter_map(|(digest, (action, rule))| {
            let manifest = repository.manifests.get(digest)?;
            let tags = tags_of(digest).iter().map(|tag| (*tag).clone()).collect();
            let (pushed_at_ms, is_archived) = (manifest.pushed_at_ms, manifest.is_archived());
            Some(Affected { digest: digest.clone(), tags, pushed_at_ms, is_archived, action, rule })
        })
        .collect();
    affected.sort_by(|a, b| (a.pushed_at_ms, &a.digest).cmp(&(b.pushed_at_ms, &b.digest)));
    affected
}

/// The rules alone. Each looks at all images of its storage class, also at those that a rule before it marked; but an
/// image that a rule selects is marked by this rule or by none. An untagged artifact is part of the image that it
/// refers to: no rule selects or counts it.
fn marked<'a>(
    policy: &Policy,
    repository: &'a Repository,
    tags_of: impl Fn(&Digest) -> &'a [&'a Tag],
    now_ms: u64,
) -> Marked<'a> {
    let is_part = |(digest, manifest): &(&Digest, &ManifestRecord)| {
        let subject = manifest.subject.as_ref().filter(|_| tags_of(digest).is_empty());
        subject.is_some_and(|subject| repository.manifests.contains_key(subject))
    };
    let mut images: Vec<(&Digest, &ManifestRecord)> =
        repository.manifests.iter().filter(|image| !is_part(image)).collect();
    images.sort_by_key(|(digest, manifest)| (Reverse(manifest.pushed_at_ms), *digest));
    let mut marked = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for rule in &policy.rules {
        let of_class = images.iter().filter(|(_, image)| image.is_archived() == rule.is_for_archive());
        let selected = of_class.filter(|(digest, _)| rule.selection.selects(tags_of(digest)));
        for (place, (digest, manifest)) in selected.enumerate() {
            if seen.insert(*digest) && !stays(rule.keep, place, manifest, now_ms) {
                marked.insert(*digest, (rule.action, rule.priority));
            }
        }
    }
    marked
}

/// `place`: of the images that the rule selects, the last pushed first.
fn stays(keep: Keep, place: usize, image: &ManifestRecord, now_ms: u64) -> bool {
    let within = |at_ms: u64, days: u32| now_ms.saturating_sub(at_ms) <= u64::from(days) * DAY_MS;
    let archive = image.archive.as_ref();
    match keep {
        Keep::Newest(count) => place < usize::try_from(count).unwrap_or(usize::MAX),
        Keep::Pushed(days) => within(image.pushed_at_ms, days),
        Keep::Pulled(days) => {
            // One that nobody pulled counts from its push, one that was brought back at least from then.
            let used_at_ms = image.pulled_at_ms.unwrap_or(image.pushed_at_ms);
            let back_at_ms = archive.and_then(|archive| archive.activated_at_ms).unwrap_or(0);
            within(used_at_ms.max(back_at_ms), days)
        }
        Keep::Archived(days) => {
            let archived_at_ms = archive.and_then(|archive| archive.archived_at_ms);
            archived_at_ms.is_none_or(|at_ms| within(at_ms, days))
        }
    }
}

/// An image doesn't expire, and isn't archived, before the indexes that hold it.
fn keep_members(repository: &Repository, marked: &mut Marked<'_>) {
    let becomes = |marked: &Marked<'_>, digest: &Digest, manifest: &ManifestRecord| {
        let archived = manifest.is_archived().then_some(Action::Archive);
        marked.get(digest).map(|(action, _)| *action).or(archived)
    };
    let mut indexes: Vec<(&Digest, &ManifestRecord)> =
        repository.manifests.iter().filter(|(_, manifest)| manifest.is_index).collect();
    while let Some((digest, index)) = indexes.pop() {
        let most = becomes(marked, digest, index);
        for member in &index.references {
            if marked.get(member).is_some_and(|(action, _)| Some(*action) > most) {
                marked.remove(member);
                indexes.extend(repository.manifests.get_key_value(member).filter(|(_, m)| m.is_index));
            }
        }
    }
}

/// What refers to an image (signatures, attestations) goes where that goes, if no index holds it.
fn add_artifacts<'a>(repository: &'a Repository, spared: &BTreeSet<Digest>, marked: &mut Marked<'a>) {
    let held: BTreeSet<&Digest> =
        repository.manifests.values().filter(|m| m.is_index).flat_map(|m| &m.references).collect();
    let subjects = |(digest, manifest): (&'a Digest, &'a ManifestRecord)| {
        Some((digest, manifest.is_archived(), manifest.subject.as_ref()?))
    };
    let artifacts: Vec<(&Digest, bool, &Digest)> = repository.manifests.iter().filter_map(subjects).collect();
    // An artifact may be about an artifact.
    loop {
        let before = marked.len();
        for (digest, is_archived, subject) in &artifacts {
            let Some(mark) = marked.get(subject).copied() else { continue };
            let is_there = *is_archived && mark.0 == Action::Archive;
            if !is_there && !spared.contains(*digest) && !held.contains(digest) {
                marked.entry(*digest).or_insert(mark);
            }
        }
        if marked.len() == before {
            return;
        }
    }
}
