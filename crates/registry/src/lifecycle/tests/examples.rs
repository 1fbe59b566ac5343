//! The user guide's examples, and cases of our own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{NOW_MS, Picture, archiving, digest, key, policy, repository, rule};
use crate::lifecycle::{
    Action, Affected, Policy, affected,
    in_use::{UsedImage, spared},
};

/// What expires, as `name:rule`, and what is archived, as `name>rule`, the oldest first.
fn expires_beside(rules: &[Value], pictures: &[Picture], used: &[UsedImage]) -> String {
    let policy = Policy::parse(&policy(rules)).unwrap();
    let repository = repository(pictures);
    let spared = spared(&key(), &repository, used);
    let name = |image: &Affected| {
        let picture = pictures.iter().find(|p| digest(&p.name) == image.digest).unwrap();
        let sign = if image.action == Action::Expire { ':' } else { '>' };
        format!("{}{sign}{}", picture.name, image.rule)
    };
    let found = affected(&policy, &repository, &spared, NOW_MS);
    found.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn expires(rules: &[Value], pictures: &[Picture]) -> String {
    expires_beside(rules, pictures, &[])
}

fn newest(count: u32, status: &str, prefixes: &[&str]) -> Value {
    let mut selection = json!({"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": count});
    if !prefixes.is_empty() {
        selection["tagPrefixList"] = json!(prefixes);
    }
    selection
}

fn days(count: u32, status: &str) -> Value {
    json!({"tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days", "countNumber": count})
}

fn used(tag: Option<&str>, image: Option<&str>) -> UsedImage {
    UsedImage {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        repository: "app".to_owned(),
        tag: tag.map(str::to_owned),
        digest: image.map(|name| digest(name).to_string()),
    }
}

/// "Filtering on multiple rules": the order of two rules decides.
#[test]
fn an_image_is_the_first_rules_that_selects_it() {
    let pictures = [
        Picture::new("A", 10, &["beta-1", "prod-1"]),
        Picture::new("B", 9, &["beta-2", "prod-2"]),
        Picture::new("C", 8, &["beta-3"]),
    ];
    let (prod, beta) = (newest(1, "tagged", &["prod"]), newest(1, "tagged", &["beta"]));
    assert_eq!(expires(&[rule(1, prod.clone()), rule(2, beta.clone())], &pictures), "A:1");
    assert_eq!(expires(&[rule(1, beta), rule(2, prod)], &pictures), "A:1 B:1");
}

/// "Filtering on multiple tags in a single rule".
#[test]
fn all_of_a_rules_prefixes_must_be_there() {
    let pictures = [
        Picture::new("A", 12, &["alpha-1"]),
        Picture::new("B", 11, &["beta-1"]),
        Picture::new("C", 10, &["alpha-2", "beta-2"]),
        Picture::new("D", 4, &["alpha-3"]),
        Picture::new("E", 3, &["beta-3"]),
        Picture::new("F", 2, &["alpha-4", "beta-4"]),
    ];
    let mut selection = days(5, "tagged");
    selection["tagPrefixList"] = json!(["alpha", "beta"]);
    assert_eq!(expires(&[rule(1, selection)], &pictures), "C:1");
    let pictures = [
        Picture::new("A", 10, &["alpha-1", "beta-1", "gamma-1"]),
        Picture::new("B", 9, &["alpha-2", "beta-2"]),
        Picture::new("C", 8, &["alpha-3", "beta-3", "gamma-2"]),
    ];
    assert_eq!(expires(&[rule(1, newest(1, "tagged", &["alpha", "beta"]))], &pictures), "A:1 B:1");
}

/// "Filtering on all images": those that another rule has looked at count, too.
#[test]
fn any_counts_all_and_takes_what_is_left() {
    let pictures = [
        Picture::new("A", 12, &["alpha-1"]),
        Picture::new("B", 11, &["beta-1"]),
        Picture::new("C", 10, &[]),
        Picture::new("D", 4, &["alpha-2"]),
        Picture::new("E", 3, &[]),
    ];
    let alpha = rule(1, newest(1, "tagged", &["alpha"]));
    let untagged = rule(2, newest(1, "untagged", &[]));
    let any = rule(3, newest(1, "any", &[]));
    assert_eq!(expires(&[alpha, untagged, any.clone()], &pictures), "A:1 B:3 C:2");
    assert_eq!(expires(&[any], &pictures), "A:3 B:3 C:3 D:3");
}

#[test]
fn patterns_and_ages() {
    let pictures = [
        Picture::new("A", 15, &["prod"]),
        Picture::new("B", 14, &["prod1"]),
        Picture::new("C", 99, &["reprod"]),
        Picture::new("D", 99, &[]),
    ];
    let mut selection = days(14, "tagged");
    selection["tagPatternList"] = json!(["prod*"]);
    assert_eq!(expires(&[rule(1, selection)], &pictures), "A:1", "14 days are not more than 14 days");
    assert_eq!(expires(&[rule(1, days(14, "untagged"))], &pictures), "D:1");
}

#[test]
fn an_image_does_not_expire_before_the_index_that_holds_it() {
    let pictures = [
        Picture::new("arm", 9, &[]),
        Picture::new("amd", 9, &[]),
        Picture::new("index", 9, &["v1"]).of(&["arm", "amd"]),
        Picture::new("both", 8, &["all"]).of(&["index"]),
    ];
    let untagged = [rule(1, newest(1, "untagged", &[]))];
    assert_eq!(expires(&untagged, &pictures), "");
    let v1 = [rule(1, newest(1, "untagged", &[])), rule(2, days(5, "any"))];
    assert_eq!(
        expires(&v1, &pictures[..3]).split(' ').count(),
        2,
        "the index with the one that rule 1 lets go"
    );
    assert_eq!(expires(&[rule(2, days(8, "any"))], &pictures), "", "an index of an index holds them all");
    assert_eq!(expires(&[rule(2, days(7, "any"))], &pictures).split(' ').count(), 4);
}

#[test]
fn what_refers_to_an_image_goes_with_it() {
    let pictures = [
        Picture::new("old", 9, &["v1"]),
        Picture::new("signature", 8, &["sig-1"]).about("old"),
        Picture::new("of the signature", 7, &[]).about("signature"),
        Picture::new("new", 6, &["v2"]),
        Picture::new("its signature", 5, &["sig-2"]).about("new"),
    ];
    let rules = [rule(1, newest(1, "tagged", &["v"]))];
    assert_eq!(expires(&rules, &pictures), "old:1 signature:1 of the signature:1");
}

#[test]
fn an_untagged_artifact_is_part_of_its_image() {
    let pictures = [
        Picture::new("one", 9, &["v1"]),
        Picture::new("signature", 8, &[]).about("one"),
        Picture::new("two", 7, &["v2"]),
        Picture::new("its signature", 6, &[]).about("two"),
        Picture::new("of nothing", 5, &[]).about("gone"),
    ];
    assert_eq!(expires(&[rule(1, newest(3, "any", &[]))], &pictures), "", "it isn't counted");
    assert_eq!(expires(&[rule(1, newest(2, "any", &[]))], &pictures), "one:1 signature:1");
    assert_eq!(expires(&[rule(1, days(1, "untagged"))], &pictures), "of nothing:1", "nor taken from it");
}

#[test]
fn what_is_in_use_stays_with_all_that_belongs_to_it() {
    let pictures = [
        Picture::new("arm", 9, &[]),
        Picture::new("amd", 9, &[]),
        Picture::new("index", 9, &["v1"]).of(&["arm", "amd"]),
        Picture::new("signature", 9, &[]).about("index"),
        Picture::new("other", 8, &["v0"]).of(&["arm"]),
        Picture::new("new", 2, &["v2"]),
    ];
    let rules = [rule(1, newest(1, "any", &[]))];
    let all = expires(&rules, &pictures);
    assert_eq!(all.split(' ').count(), 5, "{all}");
    assert_eq!(expires_beside(&rules, &pictures, &[used(Some("v1"), None)]), "other:1");
    assert_eq!(expires_beside(&rules, &pictures, &[used(None, Some("index"))]), "other:1");
    assert_eq!(
        expires_beside(&rules, &pictures, &[used(None, Some("amd"))]),
        "other:1",
        "the index of a member"
    );
    assert_eq!(expires_beside(&rules, &pictures, &[used(Some("v1"), Some("new"))]), all, "the digest counts");
    assert_eq!(expires_beside(&rules, &pictures, &[used(Some("none"), None), used(None, Some("none"))]), all);
    for elsewhere in [
        UsedImage { repository: "app2".to_owned(), ..used(Some("v1"), None) },
        UsedImage { region: "eu-west-1".to_owned(), ..used(Some("v1"), None) },
        UsedImage { account: "111111111111".to_owned(), ..used(Some("v1"), None) },
    ] {
        assert_eq!(expires_beside(&rules, &pictures, &[elsewhere]), all);
    }
    assert_eq!(spared(&key(), &repository(&pictures), &[]), BTreeSet::new());
}

fn since(count_type: &str, count: u32) -> Value {
    json!({"tagStatus": "any", "countType": count_type, "countUnit": "days", "countNumber": count})
}

/// "Filtering on last recorded pull time": what nobody pulled counts from its push, what was brought back from then.
#[test]
fn what_nobody_pulls_is_archived() {
    let pictures = [
        Picture { pulled_days_ago: Some(31), ..Picture::new("A", 50, &["a"]) },
        Picture { pulled_days_ago: Some(30), ..Picture::new("B", 49, &["b"]) },
        Picture::new("C", 48, &["c"]),
        Picture { back_days_ago: Some(3), pulled_days_ago: Some(40), ..Picture::new("D", 47, &["d"]) },
        Picture::new("E", 30, &["e"]),
        Picture::new("F", 99, &["f"]).archived(80),
    ];
    assert_eq!(expires(&[archiving(1, since("sinceImagePulled", 30))], &pictures), "A>1 C>1");
    let used = [used(Some("c"), None)];
    assert_eq!(expires_beside(&[archiving(1, since("sinceImagePulled", 30))], &pictures, &used), "A>1");
}

#[test]
fn what_is_archived_has_its_own_rules() {
    let pictures = [
        Picture::new("A", 200, &["a"]).archived(91),
        Picture::new("A's-signature", 200, &[]).about("A").archived(91),
        Picture::new("B", 199, &["b"]).archived(90),
        Picture::new("C", 198, &["c"]),
        Picture::new("C's-signature", 198, &[]).about("C"),
        Picture::new("D", 1, &["d"]),
    ];
    let mut old = since("sinceImageTransitioned", 90);
    old["storageClass"] = json!("archive");
    let found = expires(&[archiving(1, newest(1, "any", &[])), rule(2, old)], &pictures);
    // Of one age they come in the order of their digests.
    let found: BTreeSet<&str> = found.split(' ').collect();
    assert_eq!(found, ["A:2", "A's-signature:2", "C>1", "C's-signature>1"].into());
}

#[test]
fn an_image_is_not_archived_before_the_index_that_holds_it() {
    let pictures = [
        Picture::new("member", 10, &[]),
        Picture::new("index", 9, &["v1"]).of(&["member"]),
        Picture::new("new", 1, &["v2"]),
    ];
    let old = |status: &str| days(5, status);
    // The index stays: so does its member, whatever its own rule says.
    assert_eq!(expires(&[archiving(1, old("untagged"))], &pictures), "");
    // The index is archived: its member may be, and doesn't expire.
    assert_eq!(expires(&[archiving(1, old("any"))], &pictures), "member>1 index>1");
    assert_eq!(expires(&[rule(1, old("untagged")), archiving(2, old("any"))], &pictures), "index>2");
}
