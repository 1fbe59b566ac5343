//! Which texts are policies, and what is said of those that aren't.

use serde_json::{Value, json};

use super::{archiving, policy, rule};
use crate::lifecycle::{
    Policy,
    policy::{Action, Keep, Rule, Selection},
};

fn said(text: &str) -> String {
    Policy::parse(text).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
}

fn newest(tags: Value) -> Value {
    let mut selection = json!({"countType": "imageCountMoreThan", "countNumber": 1});
    selection.as_object_mut().unwrap().extend(tags.as_object().unwrap().clone());
    selection
}

fn days(more: Value) -> Value {
    let mut selection = json!({"tagStatus": "any", "countType": "sinceImagePushed", "countNumber": 14});
    selection.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    selection
}

/// Of the archive.
fn archived(count: u32) -> Value {
    days(json!({"storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days",
                "countNumber": count}))
}

#[test]
fn rules_in_the_order_of_their_priorities() {
    let text = policy(&[
        rule(30, newest(json!({"tagStatus": "any"}))),
        rule(2, newest(json!({"tagStatus": "tagged", "tagPrefixList": ["b", "a", "b"]}))),
        rule(7, newest(json!({"tagStatus": "untagged", "storageClass": "standard"}))),
        rule(4, newest(json!({"tagStatus": "tagged", "tagPatternList": ["*a*b*c*"]}))),
    ]);
    let strings = |strings: &[&str]| strings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        (2, Selection::Prefixes(strings(&["a", "b"]))),
        (4, Selection::Patterns(strings(&["*a*b*c*"]))),
        (7, Selection::Untagged),
        (30, Selection::Any),
    ];
    let (keep, action) = (Keep::Newest(1), Action::Expire);
    let expected = expected.map(|(priority, selection)| Rule { priority, selection, keep, action });
    assert_eq!(Policy::parse(&text).unwrap().rules, expected);
}

#[test]
fn ages() {
    let parsed = Policy::parse(&policy(&[rule(1, days(json!({"countUnit": "days"})))])).unwrap();
    assert_eq!(parsed.rules[0].keep, Keep::Pushed(14));
    let unpulled = days(json!({"countType": "sinceImagePulled", "countUnit": "days"}));
    let parsed = Policy::parse(&policy(&[archiving(1, unpulled)])).unwrap();
    assert_eq!((parsed.rules[0].keep, parsed.rules[0].action), (Keep::Pulled(14), Action::Archive));
    let parsed = Policy::parse(&policy(&[rule(1, archived(90))])).unwrap();
    assert_eq!((parsed.rules[0].keep, parsed.rules[0].action), (Keep::Archived(90), Action::Expire));
}

#[test]
fn what_a_rule_can_not_say() {
    let prefixes = json!({"tagStatus": "tagged", "tagPrefixList": ["v"]});
    for (selection, expected) in [
        (
            newest(json!({"tagStatus": "tagged"})),
            "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
        ),
        (
            newest(json!({"tagStatus": "tagged", "tagPrefixList": []})),
            "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.",
        ),
        (
            newest(json!({"tagStatus": "tagged", "tagPrefixList": ["v"], "tagPatternList": ["v*"]})),
            "Must specify either tagPrefixList or tagPatternList, not both.",
        ),
        (
            newest(json!({"tagStatus": "untagged", "tagPrefixList": ["v"]})),
            "tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.",
        ),
        (
            newest(json!({"tagStatus": "any", "tagPatternList": []})),
            "tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.",
        ),
        (
            newest(json!({"tagStatus": "tagged", "tagPrefixList": ["v", ""]})),
            "tagPrefixList and tagPatternList must not have empty elements.",
        ),
        (
            newest(json!({"tagStatus": "tagged", "tagPatternList": ["test*1*2*3*4*5*6"]})),
            "A tag pattern has at most 4 wildcards, and 'test*1*2*3*4*5*6' has more.",
        ),
        (
            json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 0}),
            "countNumber must be at least 1.",
        ),
        (days(json!({})), "Must specify countUnit when countType=sinceImagePushed."),
        (
            json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1, "countUnit": "days"}),
            "countUnit can only be specified when countType=sinceImagePushed, sinceImagePulled or \
             sinceImageTransitioned.",
        ),
        (
            days(json!({"countType": "sinceImagePulled", "countUnit": "days"})),
            "countType sinceImagePulled can't be used with the action expire.",
        ),
        (
            days(json!({"countType": "sinceImageTransitioned", "countUnit": "days"})),
            "Must specify storageClass=archive when countType=sinceImageTransitioned.",
        ),
        (
            days(json!({"storageClass": "archive", "countUnit": "days"})),
            "storageClass=archive can only be specified when countType=sinceImageTransitioned.",
        ),
        (archived(89), "countNumber must be at least 90 when countType=sinceImageTransitioned."),
    ] {
        assert_eq!(said(&policy(&[rule(1, selection.clone())])), expected, "{selection}");
    }
    assert_eq!(
        said(&policy(&[archiving(1, archived(90))])),
        "countType sinceImageTransitioned can't be used with the action transition."
    );
    for (action, expected) in [
        (
            json!({"type": "transition"}),
            "Must specify targetStorageClass=archive when the action is transition.",
        ),
        (
            json!({"type": "transition", "targetStorageClass": "standard"}),
            "Must specify targetStorageClass=archive when the action is transition.",
        ),
        (
            json!({"type": "expire", "targetStorageClass": "archive"}),
            "targetStorageClass can only be specified when the action is transition.",
        ),
    ] {
        let mut bad = rule(1, newest(prefixes.clone()));
        bad["action"] = action;
        assert_eq!(said(&policy(&[bad])), expected);
    }
}

/// What isn't archived has its rules, and what is has others.
#[test]
fn each_storage_class_has_its_own_rules() {
    let any = newest(json!({"tagStatus": "any"}));
    assert_eq!(said(&policy(&[archiving(1, any.clone()), rule(2, archived(365))])), "");
    assert_eq!(said(&policy(&[rule(1, archived(365)), rule(2, any)])), "");
    assert_eq!(
        said(&policy(&[rule(1, archived(365)), rule(2, archived(90))])),
        "Rule for tagStatus=ANY must have the lowest priority per storage class."
    );
}

#[test]
fn what_rules_can_not_be_beside_each_other() {
    let any = newest(json!({"tagStatus": "any"}));
    let untagged = newest(json!({"tagStatus": "untagged"}));
    let prefixes = |prefixes: &[&str]| newest(json!({"tagStatus": "tagged", "tagPrefixList": prefixes}));
    for (rules, expected) in [
        (vec![], "A policy has 1 to 50 rules, and this one has 0."),
        (vec![rule(0, any.clone())], "rulePriority must be between 1 and 2147483647, and is 0."),
        (
            vec![rule(1, untagged.clone()), rule(1, any.clone())],
            "Rules must have unique priorities, and 1 is given to more than one.",
        ),
        (
            vec![rule(1, any.clone()), rule(2, untagged.clone())],
            "Rule for tagStatus=ANY must have the lowest priority per storage class.",
        ),
        (
            vec![rule(1, any.clone()), rule(2, any)],
            "Rule for tagStatus=ANY must have the lowest priority per storage class.",
        ),
        (
            vec![rule(1, untagged.clone()), rule(2, untagged)],
            "Only one rule can select Untagged images per storage class.",
        ),
        (
            vec![rule(1, prefixes(&["a", "b"])), rule(2, prefixes(&["b", "a"]))],
            "Rules must have unique sets of tag prefixes, and those of the rule with priority 2 are not.",
        ),
    ] {
        assert_eq!(said(&policy(&rules)), expected);
    }
    let many: Vec<Value> = (1..=51).map(|n| rule(n, prefixes(&[&format!("v{n}")]))).collect();
    assert_eq!(said(&policy(&many)), "A policy has 1 to 50 rules, and this one has 51.");
}

#[test]
fn what_is_not_the_shape_of_a_policy() {
    let good = rule(1, newest(json!({"tagStatus": "any"})));
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = bad.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(name.to_owned(), value);
        policy(&[bad])
    };
    let texts = [
        "".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"rules": {}}"#.to_owned(),
        r#"{"rules": [1]}"#.to_owned(),
        with("/surprise", json!(1)),
        with("/description", Value::Null),
        with("/rulePriority", json!("1")),
        with("/rulePriority", json!(-1)),
        with("/rulePriority", json!(1.5)),
        with("/selection/surprise", json!(1)),
        with("/selection/tagStatus", json!("TAGGED")),
        with("/selection/countUnit", json!("hours")),
        with("/selection/countNumber", json!(-1)),
        with("/selection/countType", json!("sinceForever")),
        with("/action/type", json!("delete")),
        with("/action/targetStorageClass", Value::Null),
    ];
    for text in texts {
        let said = said(&text);
        assert!(said.starts_with("Could not map policyString into LifecyclePolicy: "), "{text}: {said:?}");
    }
}
