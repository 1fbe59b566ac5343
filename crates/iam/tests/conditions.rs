//! Each operator, over keys that are there, missing, and with several values.

use std::sync::Arc;

use iam::{Keys, Kind, Policy, PolicyKind, Principal, Request, evaluate};
use serde_json::{Value, json};

/// Whether a condition holds for a request with these keys.
fn holds(condition: Value, told: &[(&str, &str)]) -> bool {
    let text = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": condition,
    }});
    let policy = Policy::parse(&text.to_string(), PolicyKind::Identity).unwrap();
    let kind = Kind::User { name: "ci".into(), policy: Some(Arc::new(policy)) };
    let principal = Principal { account: "000000000000".into(), kind };
    let mut keys = Keys::default();
    told.iter().for_each(|(key, value)| keys.put(key, *value));
    evaluate(&Request { principal: &principal, action: "a:B", resource: "*", keys: &keys }, &[]).is_allowed()
}

/// With one operator over one key, of which the request has this value.
fn one(operator: &str, expected: Value, actual: &str) -> bool {
    holds(json!({operator: {"aws:Key": expected}}), &[("AWS:key", actual)])
}

#[test]
fn texts() {
    assert!(one("StringEquals", json!("a"), "a") && !one("StringEquals", json!("a"), "A"));
    assert!(one("StringEquals", json!(["b", "a"]), "a"));
    assert!(!one("StringEquals", json!("a*"), "ab") && one("StringEquals", json!("a*"), "a*"));
    assert!(one("StringNotEquals", json!("a"), "b") && !one("StringNotEquals", json!(["b", "a"]), "a"));
    assert!(one("StringEqualsIgnoreCase", json!("A"), "a"));
    assert!(!one("StringNotEqualsIgnoreCase", json!("A"), "a"));
    assert!(one("StringLike", json!("a*c?"), "abcd") && !one("StringLike", json!("a*c?"), "abc"));
    assert!(one("StringNotLike", json!("x*"), "abc"));
    assert!(one("StringEquals", json!("${aws:key}"), "same"));
}

#[test]
fn numbers_dates_and_truths() {
    assert!(one("NumericLessThan", json!(10), "9.5") && !one("NumericLessThan", json!("10"), "10"));
    assert!(one("NumericLessThanEquals", json!(10), "10") && one("NumericGreaterThan", json!(-1), "0"));
    assert!(one("NumericEquals", json!(1), "1.0") && one("NumericNotEquals", json!(1), "2"));
    assert!(!one("NumericGreaterThanEquals", json!(1), "many"));
    let noon = "2026-06-01T12:00:00Z";
    assert!(one("DateLessThan", json!("2026-06-02"), noon));
    assert!(one("DateGreaterThan", json!("2026-06-01T13:59:00+02:00"), noon));
    assert!(one("DateEquals", json!("1780315200"), noon));
    assert!(!one("DateGreaterThanEquals", json!("2027-01-01T00:00:00Z"), noon));
    assert!(one("Bool", json!(true), "true") && !one("Bool", json!("true"), "false"));
}

#[test]
fn addresses() {
    assert!(
        one("IpAddress", json!("10.0.0.0/8"), "10.1.2.3")
            && !one("IpAddress", json!("10.0.0.0/8"), "11.0.0.1")
    );
    assert!(one("IpAddress", json!(["192.0.2.7", "::1"]), "::1"));
    assert!(
        one("IpAddress", json!("10.0.0.0/8"), "::ffff:10.1.2.3"),
        "the same address in the other family's dress"
    );
    assert!(one("IpAddress", json!("0.0.0.0/0"), "1.2.3.4") && !one("IpAddress", json!("0.0.0.0/0"), "::1"));
    assert!(one("IpAddress", json!("2001:db8::/32"), "2001:db8::7"));
    assert!(one("NotIpAddress", json!("10.0.0.0/8"), "11.0.0.1"));
    assert!(!one("IpAddress", json!("10.0.0.0/8"), "somewhere"));
}

#[test]
fn arns_part_for_part() {
    let web = "arn:aws:ecs:us-east-1:000000000000:cluster/web";
    assert!(one("ArnEquals", json!(web), web) && one("ArnLike", json!("arn:aws:ecs:*:*:cluster/w*"), web));
    assert!(!one("ArnLike", json!("arn:aws:*:cluster/web"), web), "a wildcard stays within its part");
    assert!(one("ArnNotLike", json!("arn:aws:ecs:*:*:cluster/x"), web));
    assert!(one("ArnLike", json!("*"), web));
}

#[test]
fn keys_that_are_missing() {
    let missing = |operator: &str, expected: Value| holds(json!({operator: {"aws:Key": expected}}), &[]);
    assert!(!missing("StringEquals", json!("a")) && missing("StringNotEquals", json!("a")));
    assert!(!missing("IpAddress", json!("::/0")) && missing("NotIpAddress", json!("::/0")));
    assert!(missing("StringEqualsIfExists", json!("a")) && missing("NumericLessThanIfExists", json!(1)));
    assert!(!one("StringEqualsIfExists", json!("a"), "b"));
    assert!(missing("Null", json!(true)) && !missing("Null", json!("false")));
    assert!(one("Null", json!(false), "x") && !one("Null", json!("true"), "x"));
    assert!(
        missing("ForAllValues:StringEquals", json!("a")) && !missing("ForAnyValue:StringEquals", json!("a"))
    );
    assert!(!missing("ForAnyValue:StringNotEquals", json!("a")));
}

#[test]
fn several_values() {
    let tags = [("aws:TagKeys", "a"), ("aws:TagKeys", "b")];
    let asked = |operator: &str, expected: Value| holds(json!({operator: {"aws:TagKeys": expected}}), &tags);
    assert!(asked("ForAllValues:StringEquals", json!(["a", "b", "c"])));
    assert!(!asked("ForAllValues:StringEquals", json!(["a"])));
    assert!(
        asked("ForAnyValue:StringEquals", json!(["a", "z"]))
            && !asked("ForAnyValue:StringEquals", json!("z"))
    );
    assert!(
        asked("ForAnyValue:StringNotEquals", json!("a"))
            && !asked("ForAllValues:StringNotEquals", json!("a"))
    );
}

#[test]
fn all_must_hold() {
    let both = json!({"StringEquals": {"aws:a": "1", "aws:b": "2"}, "Bool": {"aws:c": true}});
    let told = [("aws:a", "1"), ("aws:b", "2"), ("aws:c", "true")];
    assert!(holds(both.clone(), &told));
    for left_out in 0..told.len() {
        let some: Vec<_> = told.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, t)| *t).collect();
        assert!(!holds(both.clone(), &some));
    }
}
