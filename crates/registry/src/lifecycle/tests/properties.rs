//! Whatever the policy and the repository.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DAY_MS, NOW_MS, Picture, digest, policy, repository, rule};
use crate::{
    digest::Digest,
    lifecycle::{Expiring, Policy, expiring, policy::Keep},
    state::index::Repository,
};

const TAGS: [&str; 5] = ["a1", "a2", "b1", "b2", "ab"];

/// Each tag stands at one image at most.
fn pictures() -> impl Strategy<Value = Vec<Picture>> {
    let one = (0u64..20, proptest::collection::vec(0usize..8, 0..3), proptest::option::of(0usize..8));
    (proptest::collection::vec(one, 0..8), proptest::collection::vec(0usize..8, TAGS.len())).prop_map(
        |(images, at)| {
            let name = |n: usize| format!("image {n}");
            let picture =
                |(n, (days, members, subject)): (usize, (u64, Vec<usize>, Option<usize>))| Picture {
                    name: name(n),
                    days_old: days,
                    tags: TAGS
                        .iter()
                        .zip(&at)
                        .filter(|(_, at)| **at == n)
                        .map(|(t, _)| t.to_string())
                        .collect(),
                    // Nothing holds itself: a digest can't.
                    members: members.into_iter().filter(|m| *m < n).map(name).collect(),
                    subject: subject.filter(|s| *s < n).map(name),
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
    proptest::collection::vec(proptest::option::of(keep), selections.len()).prop_map(move |keeps| {
        let both = selections.iter().zip(keeps).zip(1..);
        let rule = |((selection, keep), priority): ((&Value, Option<Value>), u32)| {
            let mut keep = keep?;
            keep.as_object_mut().unwrap().extend(selection.as_object().unwrap().clone());
            Some(rule(priority, keep))
        };
        both.filter_map(rule).collect()
    })
}

fn gone(found: &[Expiring]) -> BTreeSet<&Digest> {
    found.iter().map(|image| &image.digest).collect()
}

fn without(repository: &Repository, found: &[Expiring]) -> Repository {
    let mut left = repository.clone();
    for image in found {
        left.manifests.remove(&image.digest);
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
        let found = expiring(&policy, &repository, &spared, NOW_MS);
        let gone = gone(&found);
        prop_assert_eq!(gone.len(), found.len(), "by exactly one or zero rules");
        prop_assert!(gone.is_disjoint(&spared.iter().collect()));
        prop_assert!(found.is_sorted_by_key(|image| image.pushed_at_ms), "the oldest first");
        for (digest, manifest) in &repository.manifests {
            let members = manifest.references.iter().filter(|_| manifest.is_index);
            if !gone.contains(digest) {
                prop_assert!(members.clone().all(|member| !gone.contains(member)), "an index stays whole");
            }
        }
        let tags = repository.tags_by_digest();
        for image in &found {
            let own = tags.get(&image.digest).cloned().unwrap_or_default();
            prop_assert_eq!(image.tags.iter().collect::<Vec<_>>(), own.clone(), "with all its tags");
            let manifest = &repository.manifests[&image.digest];
            let with_subject = manifest.subject.as_ref().is_some_and(|subject| gone.contains(subject));
            let first = policy.rules.iter().find(|rule| rule.selection.selects(&own));
            let by_rule = first.is_some_and(|rule| rule.priority == image.rule);
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
        let found = expiring(&policy, &repository, &BTreeSet::new(), NOW_MS);
        let left = without(&repository, &found);
        let tags = left.tags_by_digest();
        let rule = &policy.rules[0];
        let own = |digest: &Digest| tags.get(digest).cloned().unwrap_or_default();
        let selected: Vec<_> = left.manifests.iter().filter(|(d, _)| rule.selection.selects(&own(d))).collect();
        match rule.keep {
            Keep::Newest(count) => prop_assert!(selected.len() <= count as usize),
            Keep::Days(days) => {
                let young = |at: u64| NOW_MS - at <= u64::from(days) * DAY_MS;
                prop_assert!(selected.iter().all(|(_, manifest)| young(manifest.pushed_at_ms)));
            }
        }
        // Nothing more to do.
        prop_assert!(expiring(&policy, &left, &BTreeSet::new(), NOW_MS).is_empty());
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = Policy::parse(&text);
    }
}
