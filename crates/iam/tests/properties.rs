//! What must hold for any policy: a deny wins, order means nothing, and no text panics.

use std::sync::Arc;

use iam::{Keys, Kind, Policy, PolicyKind, Principal, Request, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACCOUNT: &str = "000000000000";

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "ecr:(Put|Get|\\*|\\?)?[A-Za-z*]{1,4}"]
}

fn resource() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "arn:aws:ecr:us-east-1:000000000000:repository/[ab*]{1,3}"]
}

fn condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        "[ab]".prop_map(|name| json!({"StringEquals": {"aws:username": name}})),
        "[ab]".prop_map(|name| json!({"StringNotLike": {"aws:username": name}})),
        any::<bool>().prop_map(|is_absent| json!({"Null": {"aws:SourceIp": is_absent}})),
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    (any::<bool>(), pattern(), any::<bool>(), resource(), condition()).prop_map(
        |(allow, action, not, resource, condition)| {
            let effect = if allow { "Allow" } else { "Deny" };
            let action_name = if not { "NotAction" } else { "Action" };
            json!({"Effect": effect, action_name: action, "Resource": resource, "Condition": condition})
        },
    )
}

fn is_allowed(statements: &[Value], action: &str, resource: &str) -> bool {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
    let kind = Kind::User { name: "a".into(), policy: Some(Arc::new(policy)) };
    let principal = Principal { account: ACCOUNT.into(), kind };
    let mut keys = Keys::default();
    keys.put("aws:username", "a");
    evaluate(&Request { principal: &principal, action, resource, keys: &keys }, &[]).is_allowed()
}

fn request() -> (impl Strategy<Value = String>, impl Strategy<Value = String>) {
    ("ecr:(Put|Get)[A-Za-z]{1,4}", "arn:aws:ecr:us-east-1:000000000000:repository/[ab]{1,3}")
}

proptest! {
    #[test]
    fn a_deny_always_wins(
        statements in prop::collection::vec(statement(), 0..6),
        (action, resource) in request(),
        at: prop::sample::Index,
    ) {
        let mut with = statements.clone();
        let deny = json!({"Effect": "Deny", "Action": action, "Resource": resource});
        with.insert(at.index(with.len() + 1), deny);
        prop_assert!(!is_allowed(&with, &action, &resource));
    }

    #[test]
    fn the_order_of_statements_means_nothing(
        (statements, shuffled) in prop::collection::vec(statement(), 1..6)
            .prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        (action, resource) in request(),
    ) {
        prop_assert_eq!(
            is_allowed(&statements, &action, &resource),
            is_allowed(&shuffled, &action, &resource)
        );
    }

    #[test]
    fn an_allow_more_never_takes_away(
        statements in prop::collection::vec(statement(), 1..6),
        (action, resource) in request(),
    ) {
        let before = is_allowed(&statements, &action, &resource);
        let mut with = statements;
        with.push(json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}));
        prop_assert!(!before || is_allowed(&with, &action, &resource));
    }

    #[test]
    fn a_repository_s_deny_stops_everybody_but_the_agent(action in "ecr:[A-Z][a-z]{1,8}") {
        let text = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}}).to_string();
        let policy = Policy::parse(&text, PolicyKind::Resource).unwrap();
        let all = Policy::parse(&iam::managed("AdministratorAccess").unwrap(), PolicyKind::Identity).unwrap();
        let kinds = [Kind::Root, Kind::User { name: "a".into(), policy: Some(Arc::new(all)) }, Kind::Agent];
        for kind in kinds {
            let is_agent = kind == Kind::Agent;
            let principal = Principal { account: ACCOUNT.into(), kind };
            let asked = Request { principal: &principal, action: &action, resource: "*", keys: &Keys::default() };
            prop_assert_eq!(evaluate(&asked, &[&policy]).is_allowed(), is_agent);
        }
    }

    #[test]
    fn no_text_panics(text: String) {
        for kind in [PolicyKind::Identity, PolicyKind::Resource, PolicyKind::Registry] {
            let _ = Policy::parse(&text, kind);
        }
    }

    #[test]
    fn no_value_panics(
        operator in "(ForAnyValue:|ForAllValues:)?(String|Numeric|Date|Arn|Ip|Not|Bool|Null)[A-Za-z]{0,12}",
        expected: String,
        actual: String,
    ) {
        let text = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"aws:username": expected}}}}).to_string();
        if let Ok(policy) = Policy::parse(&text, PolicyKind::Identity) {
            let kind = Kind::User { name: "a".into(), policy: Some(Arc::new(policy)) };
            let principal = Principal { account: ACCOUNT.into(), kind };
            let mut keys = Keys::default();
            keys.put("aws:username", actual);
            let _ = evaluate(&Request { principal: &principal, action: "a:B", resource: "*", keys: &keys }, &[]);
        }
    }
}
