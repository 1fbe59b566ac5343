//! Whatever is asked for in whatever order: the records alone give the state back, and no blob that
//! something refers to counts as unused.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::json;

use super::{
    command::*,
    entities::*,
    index::{Change, Index},
};
use crate::{
    digest::Digest,
    lifecycle::in_use::{ImagesInUse, UsedImage},
    name::{Reference, Tag},
};

#[derive(Clone, Debug)]
enum Step {
    Create(u8, bool),
    Delete(u8, bool),
    Link(u8, u8),
    Mount(u8, u8, u8),
    Unlink(u8, u8),
    Put { repository: u8, manifest: u8, needs: Vec<u8>, members: Vec<u8>, tag: Option<u8> },
    DeleteTag(u8, u8),
    DeleteManifest(u8, u8),
    DeleteImages(u8, Vec<(Option<u8>, Option<u8>)>),
    PutLifecycle(u8, u8),
    DeleteLifecycle(u8),
    SetPolicy(u8),
    DeletePolicy(u8),
    SetRegistryPolicy(bool),
    CreateTemplate(u8),
    DeleteTemplate(u8),
    CreateOnPush(u8),
    Expire(u8, Option<u8>),
    Collect(u64),
    Forget(u64),
}

const PREFIXES: [&str; 3] = ["ROOT", "a", "b/c"];
const POLICY: &str = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}}"#;

fn step() -> impl Strategy<Value = Step> {
    let r = 0u8..3;
    let d = 0u8..5;
    let few = || proptest::collection::vec(0u8..5, 0..3);
    prop_oneof![
        (r.clone(), any::<bool>()).prop_map(|(r, immutable)| Step::Create(r, immutable)),
        (r.clone(), any::<bool>()).prop_map(|(r, force)| Step::Delete(r, force)),
        (r.clone(), d.clone()).prop_map(|(r, d)| Step::Link(r, d)),
        (r.clone(), r.clone(), d.clone()).prop_map(|(r, f, d)| Step::Mount(r, f, d)),
        (r.clone(), d.clone()).prop_map(|(r, d)| Step::Unlink(r, d)),
        (r.clone(), d.clone(), few(), few(), proptest::option::of(0u8..3)).prop_map(
            |(repository, manifest, needs, members, tag)| Step::Put {
                repository,
                manifest,
                needs,
                members,
                tag
            }
        ),
        (r.clone(), 0u8..3).prop_map(|(r, t)| Step::DeleteTag(r, t)),
        (r.clone(), d.clone()).prop_map(|(r, d)| Step::DeleteManifest(r, d)),
        (r.clone(), proptest::collection::vec((proptest::option::of(d), proptest::option::of(0u8..3)), 0..3))
            .prop_map(|(r, ids)| Step::DeleteImages(r, ids)),
        (r.clone(), 1u8..3).prop_map(|(r, newest)| Step::PutLifecycle(r, newest)),
        r.clone().prop_map(Step::DeleteLifecycle),
        r.clone().prop_map(Step::SetPolicy),
        r.clone().prop_map(Step::DeletePolicy),
        any::<bool>().prop_map(Step::SetRegistryPolicy),
        r.clone().prop_map(Step::CreateTemplate),
        r.clone().prop_map(Step::DeleteTemplate),
        r.clone().prop_map(Step::CreateOnPush),
        (r.clone(), proptest::option::of(0u8..3)).prop_map(|(r, used)| Step::Expire(r, used)),
        (0u64..40).prop_map(Step::Collect),
        (0u64..20).prop_map(Step::Forget),
    ]
}

fn key(n: u8) -> RepositoryKey {
    let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
    RepositoryKey { scope, name: format!("team/r{n}").parse().unwrap() }
}

fn tag(n: u8) -> Tag {
    format!("t{n}").parse().unwrap()
}

fn blob(n: u8) -> Digest {
    Digest::of(&[n])
}

fn manifest(n: u8) -> Digest {
    Digest::of(&[b'm', n])
}

fn settings(immutable: bool) -> RepositorySettings {
    RepositorySettings {
        created_at_ms: 1,
        mutability: Mutability { immutable, exclusions: Vec::new() },
        scan_on_push: false,
        encryption_type: "AES256".into(),
        kms_key: None,
        tags: BTreeMap::new(),
    }
}

fn put(r: u8, n: u8, needs: Vec<u8>, members: Vec<u8>, t: Option<u8>, now_ms: u64) -> PutManifest {
    let blobs = needs.iter().map(|b| Needed { digest: blob(*b), size: 1, is_manifest: false });
    let members = members.iter().map(|m| Needed { digest: manifest(*m), size: 2, is_manifest: true });
    let needs: Vec<Needed> = blobs.chain(members).collect();
    let record = ManifestRecord {
        media_type: "x".into(),
        size: 2,
        pushed_at_ms: now_ms,
        pulled_at_ms: None,
        references: needs.iter().map(|n| n.digest.clone()).collect(),
        content_size: 3,
        artifact_type: None,
        subject: n.checked_sub(1).map(|m| manifest(m / 2)),
        annotations: BTreeMap::new(),
        is_index: needs.iter().any(|n| n.is_manifest),
        ..ManifestRecord::default()
    };
    let tags = t.map(tag).into_iter().collect();
    PutManifest { key: key(r), digest: manifest(n), record, needs, tags, origin: Origin::Pushed }
}

/// A tag of a repository is in use.
struct Used(Option<(u8, u8)>);

impl ImagesInUse for Used {
    fn now(&self) -> Option<Vec<UsedImage>> {
        let used = |(r, t)| UsedImage {
            account: key(r).scope.account,
            region: key(r).scope.region,
            repository: key(r).name.to_string(),
            tag: Some(tag(t).to_string()),
            digest: None,
        };
        Some(self.0.map(used).into_iter().collect())
    }
}

fn changes<C: Command>(index: &Index, command: C) -> Vec<Change> {
    command.decide(index).map(|d| d.changes).unwrap_or_default()
}

fn decide(index: &Index, step: Step, now_ms: u64) -> Vec<Change> {
    match step {
        Step::Create(r, immutable) => {
            changes(index, CreateRepository { key: key(r), settings: settings(immutable) })
        }
        Step::Delete(r, force) => changes(index, DeleteRepository { key: key(r), force }),
        Step::Link(r, d) => changes(index, LinkBlob { key: key(r), digest: blob(d), size: 1, now_ms }),
        Step::Mount(r, from, d) => {
            changes(index, MountBlob { key: key(r), from: key(from), digest: blob(d), now_ms })
        }
        Step::Unlink(r, d) => changes(index, UnlinkBlob { key: key(r), digest: blob(d) }),
        Step::Put { repository, manifest, needs, members, tag } => {
            changes(index, put(repository, manifest, needs, members, tag, now_ms))
        }
        Step::DeleteTag(r, t) => {
            changes(index, DeleteReference { key: key(r), reference: Reference::Tag(tag(t)), now_ms })
        }
        Step::DeleteManifest(r, m) => {
            let reference = Reference::Digest(manifest(m));
            changes(index, DeleteReference { key: key(r), reference, now_ms })
        }
        Step::DeleteImages(r, ids) => {
            let id = |(d, t): (Option<u8>, Option<u8>)| ImageId { digest: d.map(manifest), tag: t.map(tag) };
            changes(index, DeleteImages { key: key(r), ids: ids.into_iter().map(id).collect(), now_ms })
        }
        Step::PutLifecycle(r, newest) => {
            let selection =
                json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": newest});
            let rule = json!({"rulePriority": 1, "selection": selection, "action": {"type": "expire"}});
            changes(index, PutLifecyclePolicy { key: key(r), text: json!({"rules": [rule]}).to_string() })
        }
        Step::DeleteLifecycle(r) => changes(index, DeleteLifecyclePolicy { key: key(r) }),
        Step::SetPolicy(r) => changes(index, SetRepositoryPolicy { key: key(r), text: POLICY.to_owned() }),
        Step::DeletePolicy(r) => changes(index, DeleteRepositoryPolicy { key: key(r) }),
        Step::SetRegistryPolicy(true) => {
            changes(index, PutRegistryPolicy { scope: key(0).scope, text: POLICY.to_owned() })
        }
        Step::SetRegistryPolicy(false) => changes(index, DeleteRegistryPolicy { scope: key(0).scope }),
        Step::CreateTemplate(n) => {
            let template = TemplateRecord {
                description: None,
                encryption_type: "AES256".into(),
                kms_key: None,
                tags: BTreeMap::new(),
                mutability: settings(n == 0).mutability,
                repository_policy: Some(POLICY.into()),
                lifecycle_policy: None,
                applied_for: vec![CREATE_ON_PUSH.into()],
                custom_role: None,
                created_at_ms: now_ms,
                updated_at_ms: now_ms,
            };
            changes(
                index,
                CreateTemplate { scope: key(0).scope, prefix: PREFIXES[usize::from(n)].into(), template },
            )
        }
        Step::DeleteTemplate(n) => {
            changes(index, DeleteTemplate { scope: key(0).scope, prefix: PREFIXES[usize::from(n)].into() })
        }
        Step::CreateOnPush(r) => {
            changes(index, CreateFor { key: key(r), scenario: CREATE_ON_PUSH, always: false, now_ms })
        }
        Step::Expire(r, used) => {
            let in_use = Arc::new(Used(used.map(|t| (r, t))));
            changes(index, ApplyLifecyclePolicy { key: key(r), now_ms, in_use })
        }
        Step::Collect(grace_ms) => changes(index, CollectBlobs { now_ms, grace_ms }),
        Step::Forget(through) => changes(index, ForgetPushes { through }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_give_the_state_back(steps in proptest::collection::vec(step(), 0..60)) {
        let mut index = Index::default();
        let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (now_ms, step) in (1u64..).zip(steps) {
            let newest = index.newest_push();
            for change in decide(&index, step, now_ms) {
                index.apply(&change);
                match change.record() {
                    (key, Some(value)) => records.insert(key, value),
                    (key, None) => records.remove(&key),
                };
            }
            prop_assert!(index.newest_push() >= newest, "a number is never given twice");
            // A tag stands at a manifest that is there, an index's and an image's parts are there when it is put.
            for (_, repository) in index.all() {
                for record in repository.tags.values() {
                    prop_assert!(repository.manifests.contains_key(&record.digest));
                }
                for subject in (0..5).map(manifest) {
                    let named = repository.manifests.iter().filter(|(_, m)| m.subject.as_ref() == Some(&subject));
                    prop_assert!(repository.referrers_of(&subject).eq(named));
                }
                for digest in repository.blobs.keys().chain(repository.manifests.keys()) {
                    prop_assert!(index.is_used(digest));
                }
            }
            let used = |d: &Digest| {
                index.all().any(|(_, r)| r.blobs.contains_key(d) || r.manifests.contains_key(d))
            };
            for n in 0..5 {
                prop_assert_eq!(index.is_used(&blob(n)), used(&blob(n)));
                prop_assert_eq!(index.is_used(&manifest(n)), used(&manifest(n)));
            }
        }
        let entries = records.iter().map(|(k, v)| (k.as_str(), v.as_slice()));
        let loaded = Index::load(entries).unwrap();
        prop_assert_eq!(format!("{:?}", loaded.all().collect::<Vec<_>>()),
                        format!("{:?}", index.all().collect::<Vec<_>>()));
        let registry = |index: &Index| index.registry_policy(&key(0).scope).map(|set| set.text.clone());
        prop_assert_eq!(registry(&loaded), registry(&index));
        let scope = key(0).scope;
        let templates = |index: &Index| format!("{:?}", index.templates_of(&scope).collect::<Vec<_>>());
        prop_assert_eq!(templates(&loaded), templates(&index));
        prop_assert_eq!(loaded.pushes_after(0).collect::<Vec<_>>(), index.pushes_after(0).collect::<Vec<_>>());
        for n in 0..5 {
            prop_assert_eq!(loaded.is_used(&blob(n)), index.is_used(&blob(n)));
        }
    }
}

#[test]
fn an_idle_blob_is_collected_after_its_grace_only() {
    let mut index = Index::default();
    let mut run = |step: Step, now_ms| {
        let changes = decide(&index, step, now_ms);
        changes.iter().for_each(|c| index.apply(c));
        changes.len()
    };
    run(Step::Create(0, false), 0);
    run(Step::Link(0, 1), 0);
    run(Step::Put { repository: 0, manifest: 0, needs: vec![1], members: vec![], tag: Some(0) }, 1);
    // In use, however old.
    assert_eq!(run(Step::Collect(10), 1000), 0);
    // Its manifest goes: from then on the time counts.
    run(Step::DeleteManifest(0, 0), 1000);
    assert_eq!(run(Step::Collect(10), 1009), 0);
    assert_eq!(run(Step::Collect(10), 1010), 1);
}
