//! What policies say, by examples as AWS's guides have them.

use std::sync::Arc;

use iam::{
    Decision, Grant, Granted, Keys, Kind, Policy, PolicyKind, Principal, Request, evaluate, managed,
    managed_names,
};

const ACCOUNT: &str = "000000000000";
const APP: &str = "arn:aws:ecr:us-east-1:000000000000:repository/team/app";

fn policy(text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(text, kind).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn user(name: &str, text: Option<&str>) -> Principal {
    let policy = text.map(|text| Arc::new(policy(text, PolicyKind::Identity)));
    Principal { account: ACCOUNT.into(), kind: Kind::User { name: name.into(), policy } }
}

fn keys(pairs: &[(&str, &str)]) -> Keys {
    let mut keys = Keys::default();
    pairs.iter().for_each(|(key, value)| keys.put(key, *value));
    keys
}

/// The decision in a word, or the reason of a refusal.
fn ask(principal: &Principal, action: &str, resource: &str, keys: &Keys, of_resource: &[&str]) -> String {
    let of_resource: Vec<Policy> =
        of_resource.iter().map(|text| policy(text, PolicyKind::Resource)).collect();
    let of_resource: Vec<&Policy> = of_resource.iter().collect();
    match evaluate(&Request { principal, action, resource, keys }, &of_resource) {
        Decision::Allowed => "allowed".to_owned(),
        Decision::Denied(denial) => denial.reason.to_string(),
    }
}

fn allowed(principal: &Principal, action: &str, resource: &str) -> bool {
    ask(principal, action, resource, &Keys::default(), &[]) == "allowed"
}

const PULL_TEAM: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Action": ["ecr:BatchGet*", "ECR:getDownloadUrlForLaye?"],
    "Resource": "arn:aws:ecr:*:000000000000:repository/team/*"}]}"#;

#[test]
fn a_key_may_do_what_its_policy_allows() {
    let ci = user("ci", Some(PULL_TEAM));
    assert!(allowed(&ci, "ecr:BatchGetImage", APP));
    assert!(allowed(&ci, "ecr:GetDownloadUrlForLayer", APP));
    for (action, resource) in [
        ("ecr:PutImage", APP),
        ("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:000000000000:repository/other"),
        ("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:111111111111:repository/team/app"),
        ("ecr:BatchGetImage", "*"),
        ("ecs:RunTask", "*"),
    ] {
        assert!(!allowed(&ci, action, resource), "{action} {resource}");
    }
}

#[test]
fn without_a_policy_one_learns_who_one_is_and_gets_a_password() {
    let nobody = user("nobody", None);
    assert!(allowed(&nobody, "sts:GetCallerIdentity", "*"));
    assert!(allowed(&nobody, "ecr:GetAuthorizationToken", "*"));
    assert!(!allowed(&nobody, "ecr:DescribeRepositories", "*"));
    let denied = user("denied", Some(r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}"#));
    assert!(allowed(&denied, "sts:GetCallerIdentity", "*"));
    assert!(!allowed(&denied, "ecr:GetAuthorizationToken", "*"));
}

#[test]
fn refusals_are_in_iams_words() {
    let nobody = user("nobody", None);
    let request =
        Request { principal: &nobody, action: "ecr:PutImage", resource: APP, keys: &Keys::default() };
    let Decision::Denied(denial) = evaluate(&request, &[]) else { panic!("allowed") };
    assert_eq!(
        denial.to_string(),
        "User: arn:aws:iam::000000000000:user/nobody is not authorized to perform: ecr:PutImage on resource: \
         arn:aws:ecr:us-east-1:000000000000:repository/team/app because no identity-based policy allows the \
         ecr:PutImage action"
    );
    let deny = r#"{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
    let reason = ask(&user("x", Some(deny)), "ecr:PutImage", APP, &Keys::default(), &[]);
    assert_eq!(reason, "with an explicit deny in an identity-based policy");
    let deny = r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}]}"#;
    let reason = ask(&Principal::root(ACCOUNT), "ecr:PutImage", APP, &Keys::default(), &[deny]);
    assert_eq!(reason, "with an explicit deny in a resource-based policy");
}

#[test]
fn principals_of_a_repository_s_policy() {
    let of = |principal: &str, effect: &str| {
        format!(
            r#"{{"Statement": [{{"Effect": "{effect}", "Principal": {principal}, "Action": "ecr:PutImage"}}]}}"#
        )
    };
    let may = |name: &str, principal: &str| {
        let asked = ask(&user(name, None), "ecr:PutImage", APP, &Keys::default(), &[&of(principal, "Allow")]);
        asked == "allowed"
    };
    assert!(may("ci", r#""*""#));
    assert!(may("ci", r#"{"AWS": "*"}"#));
    assert!(may("ci", r#"{"AWS": ["arn:aws:iam::000000000000:user/ci", "111111111111"]}"#));
    assert!(!may("cx", r#"{"AWS": "arn:aws:iam::000000000000:user/ci"}"#));
    assert!(!may("ci", r#"{"Service": "codebuild.amazonaws.com"}"#));
    // An account that is named leaves it to its own policies.
    assert!(!may("ci", r#"{"AWS": "000000000000"}"#));
    assert!(!may("ci", r#"{"AWS": "arn:aws:iam::000000000000:root"}"#));

    let denies = |principal: &str| {
        let everything = user("ci", managed("AdministratorAccess").as_deref());
        ask(&everything, "ecr:PutImage", APP, &Keys::default(), &[&of(principal, "Deny")]) != "allowed"
    };
    assert!(denies(r#"{"AWS": "000000000000"}"#));
    assert!(denies(r#"{"AWS": "arn:aws:iam::000000000000:root"}"#));
    assert!(!denies(r#"{"AWS": "111111111111"}"#));
}

#[test]
fn not_principal_not_action_and_not_resource() {
    let but_ci = r#"{"Statement": [{"Effect": "Deny", "Action": "ecr:*",
        "NotPrincipal": {"AWS": "arn:aws:iam::000000000000:user/ci"}}]}"#;
    let all = managed("AdministratorAccess");
    let ask_as =
        |name: &str| ask(&user(name, all.as_deref()), "ecr:PutImage", APP, &Keys::default(), &[but_ci]);
    assert_eq!(ask_as("ci"), "allowed");
    assert_eq!(ask_as("cx"), "with an explicit deny in a resource-based policy");
    let rest = user(
        "ci",
        Some(
            r#"{"Statement": {"Effect": "Allow", "NotAction": "ecr:Delete*",
        "NotResource": "arn:aws:ecr:us-east-1:000000000000:repository/secret"}}"#,
        ),
    );
    assert!(allowed(&rest, "ecr:PutImage", APP));
    assert!(!allowed(&rest, "ecr:DeleteRepository", APP));
    assert!(!allowed(&rest, "ecr:PutImage", "arn:aws:ecr:us-east-1:000000000000:repository/secret"));
}

#[test]
fn variables_stand_for_what_the_request_tells() {
    let own = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*",
        "Resource": "arn:aws:ecr:us-east-1:000000000000:repository/${aws:username}/*"}]}"#;
    let mine = "arn:aws:ecr:us-east-1:000000000000:repository/ci/app";
    let told = keys(&[("aws:username", "ci")]);
    assert_eq!(ask(&user("ci", Some(own)), "ecr:PutImage", mine, &told, &[]), "allowed");
    assert_ne!(ask(&user("ci", Some(own)), "ecr:PutImage", APP, &told, &[]), "allowed");
    // The older version has none.
    let older = own.replace("2012", "2008");
    assert_ne!(ask(&user("ci", Some(&older)), "ecr:PutImage", mine, &told, &[]), "allowed");
}

#[test]
fn managed_policies_are_policies() {
    for name in managed_names() {
        policy(&managed(name).unwrap(), PolicyKind::Identity);
    }
    let pull = user("pull", managed("AmazonEC2ContainerRegistryPullOnly").as_deref());
    assert!(allowed(&pull, "ecr:BatchGetImage", APP) && !allowed(&pull, "ecr:PutImage", APP));
    assert_eq!(managed("Nothing"), None);
}

#[test]
fn texts_that_are_no_policies() {
    let one = |members: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{{members}}}]}}"#);
    let rest = r#""Effect": "Allow", "Action": "ecr:*", "Resource": "*""#;
    policy(&one(rest), PolicyKind::Identity);
    let identity = [
        "".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"Statement": []}"#.to_owned(),
        r#"{"Version": "2020-01-01", "Statement": {}}"#.to_owned(),
        format!(r#"{{"Version": "2012-10-17", "Extra": 1, "Statement": {{{rest}}}}}"#),
        one(r#""Effect": "allow", "Action": "*", "Resource": "*""#),
        one(r#""Effect": "Allow", "Resource": "*""#),
        one(r#""Effect": "Allow", "Action": "*""#),
        one(r#""Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*""#),
        one(r#""Effect": "Allow", "Action": [], "Resource": "*""#),
        one(r#""Effect": "Allow", "Action": "PutImage", "Resource": "*""#),
        one(r#""Effect": "Allow", "Action": "ec*:PutImage", "Resource": "*""#),
        one(r#""Effect": "Allow", "Action": "*", "Resource": "team/app""#),
        one(r#""Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:::${aws""#),
        one(&format!(r#"{rest}, "Principal": "*""#)),
        one(&format!(r#"{rest}, "Condition": {{"StringIs": {{"aws:username": "x"}}}}"#)),
        one(&format!(r#"{rest}, "Condition": {{"StringEquals": {{"username": "x"}}}}"#)),
        one(&format!(r#"{rest}, "Condition": {{"IpAddress": {{"aws:SourceIp": "10.0.0.0/33"}}}}"#)),
        one(&format!(r#"{rest}, "Condition": {{"DateLessThan": {{"aws:CurrentTime": "soon"}}}}"#)),
        one(&format!(r#"{rest}, "Condition": {{"NullIfExists": {{"aws:username": true}}}}"#)),
        // Which of the two would hold?
        one(&format!(r#"{rest}, "Effect": "Deny""#)),
        format!(r#"{{"Statement": [{{"Sid": "a", {rest}}}, {{"Sid": "a", {rest}}}]}}"#),
    ];
    for text in identity {
        assert!(Policy::parse(&text, PolicyKind::Identity).is_err(), "{text}");
    }
    for principal in [
        r#""x""#,
        "{}",
        r#"{"AWS": []}"#,
        r#"{"AWS": "12345"}"#,
        r#"{"AWS": "arn:aws:iam::000000000000:*"}"#,
        r#"{"AWS": "arn:aws:iam::000000000000:user/*"}"#,
        r#"{"AWS": "arn:aws:s3:::bucket"}"#,
        r#"{"Everybody": "*"}"#,
    ] {
        let text = one(&format!(r#""Effect": "Allow", "Action": "ecr:*", "Principal": {principal}"#));
        assert!(Policy::parse(&text, PolicyKind::Resource).is_err(), "{text}");
    }
    let whole = format!(r#"{rest}, "Principal": "*""#);
    assert!(
        Policy::parse(&one(&whole), PolicyKind::Resource).is_err(),
        "a repository's policy has no Resource"
    );
    assert!(Policy::parse(&one(&whole), PolicyKind::Registry).is_ok());
    assert!(Policy::parse(&one(rest), PolicyKind::Registry).is_err());
}

#[test]
fn what_cannot_be_read_denies() {
    let root = Principal::root(ACCOUNT);
    let request = Request { principal: &root, action: "ecr:PutImage", resource: APP, keys: &Keys::default() };
    assert!(!evaluate(&request, &[&Policy::unreadable()]).is_allowed());
}

/// Of whom it is known what they may do, policies are not asked: those of resources neither give nor deny.
#[test]
fn a_grant_decides_alone() {
    #[derive(Debug)]
    struct PullsApp;

    impl Grant for PullsApp {
        fn allows(&self, action: &str, resource: &str) -> bool {
            action == "ecr:BatchGetImage" && resource == APP
        }
    }

    let kind = Kind::Instance { id: "1".into(), granted: Granted(Arc::new(PullsApp)) };
    let instance = Principal { account: ACCOUNT.into(), kind };
    let statement = |effect: &str| {
        format!(r#"{{"Statement": {{"Effect": "{effect}", "Principal": "*", "Action": "ecr:*"}}}}"#)
    };
    let (allows, denies) = (statement("Allow"), statement("Deny"));
    let keys = Keys::default();
    assert_eq!(ask(&instance, "ecr:BatchGetImage", APP, &keys, &[&denies]), "allowed");
    let refused = ask(&instance, "ecr:PutImage", APP, &keys, &[&allows]);
    assert!(refused.contains("no identity-based policy allows"), "{refused}");
    assert!(allowed(&instance, "sts:GetCallerIdentity", "*"));
}
