//! Whatever the policy and the repository.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DAY_MS, NOW_MS, Picture, archiving, digest, policy, repository, rule};
use crate::{
    digest::Digest,
    lifecycle::{Action, Affected, Policy, affected, policy::Keep},
    state::{entities::ManifestRecord, index::Repository},
};

const TAGS: [&str; 5] = ["a1", "a2", "b1", "b2", "ab"];

/// An image's age in days, the members and the subject that it names, and since how many days it is archived.
type Drawn = (u64, Vec<usize>, Option<usize>, Option<u64>);

/// How many a rule keeps, and whether it archives the others.
type Kept = Option<(Value, bool)>;

/// Each tag stands at one image at most.
fn pictures() -> impl Strategy<Value = Vec<Picture>> {
    let archived = proptest::option::weighted(0.3, 85u64..100);
    let one =
        (0u64..20, proptest::collection::vec(0usize..8, 0..3), proptest::option::of(0usize..8), archived);
    (proptest::collection::vec(one, 0..8), proptest::collection::vec(0usize..8, TAGS.len())).prop_map(
        |(images, at)| {
            let name = |n: usize| format!("image {n}");
            let picture = |(n, (days, members, subject, archived)): (usize, Drawn)| Picture {
                name: name(n),
                days_old: days,
                tags: TAGS.iter().zip(&at).filter(|(_, at)| **at == n).map(|(t, _)| t.to_string()).collect(),
                // Nothing holds itself: a digest can't.
                members: members.into_iter().filter(|m| *m < n).map(name).collect(),
                subject: subject.filter(|s| *s < n).map(name),
                archived_days_ago: archived,
                ..Picture::default()
            };
            images.into_iter().enumerate().map(picture).collect()
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let keep = prop_oneof![
        (1u32..5).prop_map(|n| json!({"countType": "imageCountMoreThan", "countNumber": n})),
        (1u32..20)
            .prop_map(|n| json!({"countType": "sinceImagePushed", "countUnit": "days", "countNumber": n})),
    ];
    let selections = [
        json!({"tagStatus": "tagged", "tagPrefixList": ["a"]}),
        json!({"tagStatus": "tagged", "tagPatternList": ["*1", "a*"]}),
        json!({"tagStatus": "untagged"}),
        json!({"tagStatus": "any"}),
    ];
    let of_archive = json!({"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned",
                            "countUnit": "days", "countNumber": 92});
    let keeps = proptest::collection::vec(proptest::option::of((keep, any::<bool>())), selections.len());
    (keeps, any::<bool>()).prop_map(move |(keeps, with_archive)| {
        let both = selections.iter().zip(keeps).zip(1..);
        let rule_of = |((selection, keep), priority): ((&Value, Kept), u32)| {
            let (mut keep, archives) = keep?;
            keep.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
            Some(if archives { archiving(priority, keep) } else { rule(priority, keep) })
        };
        let archive = with_archive.then(|| rule(9, of_archive.clone()));
        both.filter_map(rule_of).chain(archive).collect()
    })
}

fn gone(found: &[Affected]) -> BTreeSet<&Digest> {
    found.iter().filter(|image| image.action == Action::Expire).map(|image| &image.digest).collect()
}

/// The repository when all that is done.
fn after(repository: &Repository, found: &[Affected]) -> Repository {
    let mut left = repository.clone();
    for image in found {
        if image.action == Action::Archive {
            let archived = left.manifests[&image.digest].archived(NOW_MS);
            left.put_manifest(&image.digest, &archived);
            continue;
        }
        left.remove_manifest(&image.digest);
        image.tags.iter().for_each(|tag| drop(left.tags.remove(tag)));
    }
    left
}

proptest! {
    #[test]
    fn what_stays_is_whole(pictures in pictures(), rules in rules(), spared in proptest::collection::btree_set(0usize..8, 0..3)) {
        prop_assume!(!rules.is_empty());
        let policy = Policy::parse(&policy(&rules)).unwrap();
        let repository = repository(&pictures);
        let spared: BTreeSet<Digest> = spared.into_iter().map(|n| digest(&format!("image {n}"))).collect();
        let found = affected(&policy, &repository, &spared, NOW_MS);
        let gone = gone(&found);
        let all: BTreeSet<&Digest> = found.iter().map(|image| &image.digest).collect();
        prop_assert_eq!(all.len(), found.len(), "by exactly one or zero rules");
        prop_assert!(all.is_disjoint(&spared.iter().collect()));
        let left = after(&repository, &found);
        let is_archived = |digest: &Digest| left.manifests.get(digest).is_some_and(|m| m.is_archived());
        prop_assert!(found.is_sorted_by_key(|image| image.pushed_at_ms), "the oldest first");
        for (digest, manifest) in &repository.manifests {
            let members = manifest.references.iter().filter(|_| manifest.is_index);
            if !gone.contains(digest) {
                prop_assert!(members.clone().all(|member| !gone.contains(member)), "an index stays whole");
            }
            if !gone.contains(digest) && !is_archived(digest) {
                let archived = |member: &Digest| is_archived(member) && all.contains(member);
                prop_assert!(!members.clone().any(archived), "an index that can be pulled can be pulled whole");
            }
        }
        let tags = repository.tags_by_digest();
        for image in &found {
            let own = tags.get(&image.digest).cloned().unwrap_or_default();
            prop_assert_eq!(image.tags.iter().collect::<Vec<_>>(), own.clone(), "with all its tags");
            let manifest = &repository.manifests[&image.digest];
            prop_assert_eq!(image.is_archived, manifest.is_archived());
            prop_assert!(!(image.is_archived && image.action == Action::Archive));
            let with_subject = manifest.subject.as_ref().is_some_and(|subject| all.contains(subject));
            let mut of_class = policy.rules.iter().filter(|rule| rule.is_for_archive() == image.is_archived);
            let first = of_class.find(|rule| rule.selection.selects(&own));
            let by_rule = first.is_some_and(|rule| (rule.priority, rule.action) == (image.rule, image.action));
            prop_assert!(by_rule || with_subject, "by the first rule that selects it, or with its subject");
        }
    }

    /// After a rule on ages nothing is left that is too old, but what is held or another rule's.
    #[test]
    fn a_single_rule_reaches_its_aim(pictures in pictures(), rules in rules()) {
        prop_assume!(!rules.is_empty());
        let policy = Policy::parse(&policy(&rules[..1])).unwrap();
        let plain: Vec<Picture> =
            pictures.into_iter().map(|p| Picture { members: vec![], subject: None, ..p }).collect();
        let repository = repository(&plain);
        let found = affected(&policy, &repository, &BTreeSet::new(), NOW_MS);
        let left = after(&repository, &found);
        let tags = left.tags_by_digest();
        let rule = &policy.rules[0];
        let own = |digest: &Digest| tags.get(digest).cloned().unwrap_or_default();
        let of_class = left.manifests.iter().filter(|(_, m)| m.is_archived() == rule.is_for_archive());
        let selected: Vec<_> = of_class.filter(|(d, _)| rule.selection.selects(&own(d))).collect();
        let young = |at: Option<u64>, days: u32| at.is_some_and(|at| NOW_MS - at <= u64::from(days) * DAY_MS);
        let archived_at = |m: &ManifestRecord| m.archive.as_ref().and_then(|archive| archive.archived_at_ms);
        match rule.keep {
            Keep::Newest(count) => prop_assert!(selected.len() <= count as usize),
            Keep::Pushed(days) => prop_assert!(selected.iter().all(|(_, m)| young(Some(m.pushed_at_ms), days))),
            Keep::Archived(days) => prop_assert!(selected.iter().all(|(_, m)| young(archived_at(m), days))),
            Keep::Pulled(_) => prop_assert!(false, "no such rule is made"),
        }
        // Nothing more to do.
        prop_assert!(affected(&policy, &left, &BTreeSet::new(), NOW_MS).is_empty());
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = Policy::parse(&text);
    }
}
