use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::operation::OperationInfo;
use crate::shape::{Kind, Shape};
use crate::{SERVICES, ecr, ecs, logs, sts};

fn refusal<O: Operation>(body: &str) -> String {
    let Err(error) = decode::<O>(body.as_bytes()) else { panic!("accepted: {body}") };
    error.to_string()
}

#[test]
fn a_request_becomes_its_input() {
    let body = br#"{"cluster":"default","tasks":["a"],"include":["TAGS"],"later":1,"none":null}"#;
    let input = decode::<ecs::ops::DescribeTasks>(body).unwrap();
    assert_eq!(input.cluster.as_deref(), Some("default"));
    assert_eq!(input.tasks, ["a"]);
    assert_eq!(input.include, Some(vec![ecs::TaskField::Tags]));
}

#[test]
fn nothing_at_all_is_an_empty_object() {
    assert!(decode::<ecs::ops::ListClusters>(b"").is_ok());
    assert!(decode::<ecs::ops::ListClusters>(b"{}").is_ok());
}

#[test]
fn null_is_absent() {
    let input = decode::<ecs::ops::ListClusters>(br#"{"maxResults":null}"#).unwrap();
    assert_eq!(input.max_results, None);
}

#[test]
fn wrong_types_are_told_in_the_words_of_ecs() {
    type Op = ecs::ops::RegisterTaskDefinition;
    for (body, message) in [
        (
            "[]",
            "Unrecognized collection type class com.amazonaws.madison.frontend.RegisterTaskDefinitionRequest",
        ),
        ("1", "Unexpected field type"),
        (r#"{"family":1}"#, "NUMBER_VALUE cannot be converted to String"),
        (r#"{"family":1.5}"#, "DECIMAL_VALUE cannot be converted to String"),
        (r#"{"family":true}"#, "TRUE_VALUE cannot be converted to String"),
        (r#"{"family":["a"]}"#, "Unrecognized collection type class java.lang.String"),
        (r#"{"family":{}}"#, "Start of structure or map found where not expected"),
        (r#"{"containerDefinitions":"a"}"#, "Unexpected field type"),
        (r#"{"containerDefinitions":{}}"#, "Start of structure or map found where not expected"),
        (r#"{"containerDefinitions":[{"cpu":"1"}]}"#, "STRING_VALUE cannot be converted to Integer"),
        (r#"{"containerDefinitions":[{"cpu":3000000000}]}"#, "NUMBER_VALUE cannot be converted to Integer"),
        (r#"{"containerDefinitions":[{"essential":"yes"}]}"#, "Unexpected token received from parser"),
        (r#"{"containerDefinitions":[{"essential":1}]}"#, "NUMBER_VALUE cannot be converted to Boolean"),
    ] {
        assert_eq!(refusal::<Op>(body), format!("SerializationException: {message}"), "{body}");
    }
    assert!(refusal::<Op>("{").starts_with("SerializationException: The request's body is not valid JSON"));
}

#[test]
fn a_fraction_is_cut_off() {
    let input = decode::<ecs::ops::ListClusters>(br#"{"maxResults":7.0}"#).unwrap();
    assert_eq!(input.max_results, Some(7));
}

#[test]
fn ecs_has_its_own_words_for_missing_members() {
    assert_eq!(
        refusal::<ecs::ops::RegisterTaskDefinition>("{}"),
        "ClientException: Family can not be blank."
    );
    assert_eq!(refusal::<ecs::ops::DescribeTasks>("{}"), "InvalidParameterException: Tasks cannot be empty.");
}

#[test]
fn ecs_has_its_own_words_for_some_enums() {
    assert_eq!(
        refusal::<ecs::ops::RunTask>(r#"{"taskDefinition":"a","launchType":"MOON"}"#),
        "InvalidParameterException: launch type should be one of \
         [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"
    );
}

#[test]
fn a_refusal_is_one_of_the_operations_errors_or_a_common_one() {
    let code = |refusal: String| refusal.split(':').next().unwrap_or_default().to_owned();
    assert_eq!(code(refusal::<logs::ops::CreateLogGroup>("{}")), "InvalidParameterException");
    assert_eq!(code(refusal::<logs::ops::TagLogGroup>("{}")), "InvalidParameterException");
    assert_eq!(code(refusal::<logs::ops::PutLogGroupDeletionProtection>("{}")), "InvalidParameterException");
    assert_eq!(code(refusal::<logs::ops::ListTagsLogGroup>("{}")), "ValidationError");
}

#[test]
fn violations_are_counted() {
    assert_eq!(
        refusal::<ecr::ops::DescribeRepositories>(r#"{"maxResults":0,"registryId":"x"}"#),
        "InvalidParameterException: 2 validation errors detected: Value '0' at 'maxResults' failed \
         to satisfy constraint: Member must have value greater than or equal to 1; Value 'x' at \
         'registryId' failed to satisfy constraint: Member must satisfy regular expression \
         pattern: [0-9]{12}"
    );
    assert_eq!(
        refusal::<ecs::ops::RunTask>(r#"{"taskDefinition":"a","propagateTags":"MOON"}"#),
        "InvalidParameterException: 1 validation error detected: Value 'MOON' at 'propagateTags' \
         failed to satisfy constraint: Member must satisfy enum value set: [TASK_DEFINITION, \
         SERVICE, NONE]"
    );
    assert_eq!(
        refusal::<logs::ops::PutLogEvents>(r#"{"logGroupName":"g","logStreamName":"s","logEvents":[]}"#),
        "InvalidParameterException: 1 validation error detected: Value '[]' at 'logEvents' failed \
         to satisfy constraint: Member must have length greater than or equal to 1"
    );
    assert_eq!(
        refusal::<logs::ops::PutLogEvents>(
            r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1}]}"#
        ),
        "InvalidParameterException: 1 validation error detected: Value null at \
         'logEvents.1.member.message' failed to satisfy constraint: Member must not be null"
    );
    assert!(refusal::<ecr::ops::BatchGetImage>(r#"{"imageIds":[]}"#).contains("at 'repositoryName'"));
}

#[test]
fn a_list_of_scalars_is_told_as_a_whole() {
    assert_eq!(
        refusal::<ecr::ops::DescribeRepositories>(r#"{"repositoryNames":["ok","NO"]}"#)
            .split(": ")
            .take(3)
            .collect::<Vec<_>>(),
        [
            "InvalidParameterException",
            "1 validation error detected",
            "Value '[ok, NO]' at 'repositoryNames' failed to satisfy constraint"
        ]
    );
    assert!(
        refusal::<ecs::ops::DescribeTasks>(r#"{"tasks":["a",null]}"#)
            .ends_with("Member must satisfy constraint: [Member must not be null]")
    );
}

#[test]
fn query_forms_are_nested_by_name() {
    let body = b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/r\
        &RoleSessionName=me&DurationSeconds=900&Tags.member.1.Key=a&Tags.member.1.Value=b\
        &Tags.member.2.Key=c&Tags.member.2.Value=&TransitiveTagKeys.member.1=a";
    let input = decode::<sts::ops::AssumeRole>(body).unwrap();
    assert_eq!(input.duration_seconds, Some(900));
    let tags = input.tags.unwrap();
    assert_eq!((tags[1].key.as_str(), tags[1].value.as_str()), ("c", ""));
    assert_eq!(input.transitive_tag_keys.unwrap(), ["a"]);
    assert!(refusal::<sts::ops::AssumeRole>("DurationSeconds=soon").starts_with("MalformedInput"));
    assert!(refusal::<sts::ops::AssumeRole>("RoleArn=x").starts_with("ValidationError: 2 validation"));
}

#[test]
fn an_item_of_which_a_form_says_nothing_keeps_its_place() {
    let body = b"RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=me\
        &PolicyArns.member.1=&PolicyArns.member.2.unknown=x&PolicyArns.member.3.arn=arn:aws:iam::aws:policy/p";
    let input = decode::<sts::ops::AssumeRole>(body).unwrap();
    let arns: Vec<_> =
        input.policy_arns.as_ref().unwrap().iter().map(|policy| policy.arn.is_some()).collect();
    assert_eq!(arns, [false, false, true]);
    let mut fields = Vec::new();
    let value = serde_json::to_value(&input).unwrap();
    query::fields(sts::ops::AssumeRole::INFO.input.unwrap(), "", &value, &mut fields);
    let of_policies: Vec<_> = fields.iter().filter(|(name, _)| name.starts_with("Policy")).collect();
    assert_eq!(of_policies[0], &("PolicyArns.member.1".to_owned(), String::new()));
    assert_eq!(of_policies.len(), 3);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refusal::<ecs::ops::ListClusters>(&deep).starts_with("SerializationException"));
}

/// Every shape that some operation takes or gives.
fn shapes() -> Vec<&'static Shape> {
    let mut queue: Vec<&Shape> = operations().flat_map(|o| [o.input, o.output]).flatten().collect();
    let mut seen: Vec<&Shape> = Vec::new();
    while let Some(shape) = queue.pop() {
        if seen.iter().any(|have| std::ptr::eq(*have, shape)) {
            continue;
        }
        seen.push(shape);
        match &shape.kind {
            Kind::Structure { members, .. } => queue.extend(members.iter().map(|m| m.shape)),
            Kind::List { member, .. } => queue.push(member),
            Kind::Map { key, value, .. } => queue.extend([*key, *value]),
            _ => {}
        }
    }
    seen
}

fn operations() -> impl Iterator<Item = &'static OperationInfo> {
    SERVICES.iter().flat_map(|service| service.operations.iter().copied())
}

#[test]
fn every_pattern_of_the_models_is_understood() {
    for shape in shapes() {
        if let Kind::String { pattern: Some(pattern), .. } = shape.kind {
            assert!(pattern::compile(pattern).is_ok(), "{}: {pattern}", shape.name);
        }
    }
}

#[test]
fn patterns_mean_what_java_means() {
    for (pattern, text, matches) in [
        (r"[\w-_]*", "a-b_9", true),
        (r"[\w-_]*", "ä", false),
        (r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+", "sha-256_+.x:00", true),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "größe 1/x", true),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "a#b", false),
        (r"[0-9]{12}", "1234567890123", false),
        (r"^\S+$", "a\n", false),
        (r"[\d]*", "٣", false),
        (r"^(?!\s*$).+", " a ", true),
        (r"^(?!\s*$).+", "  ", false),
        (r"[\u0009\u000A\u000D\u0020-\u00FF]+", "a\tÿ", true),
    ] {
        assert_eq!(pattern::matches(pattern, text), matches, "{pattern} {text:?}");
    }
}

#[test]
fn the_tables_hold_every_operation() {
    let count = |name: &str| SERVICES.iter().find(|s| s.name == name).unwrap().operations.len();
    assert_eq!((count("ecs"), count("ecr"), count("logs"), count("sts")), (88, 62, 118, 11));
    assert_eq!(count("events"), 57);
    for service in SERVICES {
        assert!(service.operations.is_sorted_by_key(|operation| operation.name));
    }
}

/// JSON that is often near what `shape` wants.
fn near(shape: &'static Shape, depth: u32) -> BoxedStrategy<Value> {
    let leaf = match &shape.kind {
        Kind::Structure { members, .. } if depth > 0 => members
            .iter()
            .map(|m| (Just(m.name), prop::option::weighted(0.4, near(m.shape, depth - 1))))
            .collect::<Vec<_>>()
            .prop_map(|pairs| {
                let set = pairs.into_iter().filter_map(|(name, v)| Some((name.to_owned(), v?)));
                Value::Object(set.collect())
            })
            .boxed(),
        Kind::List { member, .. } if depth > 0 => {
            prop::collection::vec(near(member, depth - 1), 0..3).prop_map(Value::Array).boxed()
        }
        Kind::Map { value, .. } if depth > 0 => {
            prop::collection::btree_map("[a-z]{0,3}", near(value, depth - 1), 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
                .boxed()
        }
        Kind::String { values, .. } if !values.is_empty() => {
            prop::sample::select(*values).prop_map(|v| json!(v)).boxed()
        }
        Kind::String { .. } => "[a-z0-9:/-]{0,14}".prop_map(|v| json!(v)).boxed(),
        Kind::Blob { .. } => Just(json!("AAAA")).boxed(),
        Kind::Integer { .. } | Kind::Long { .. } => any::<i32>().prop_map(|v| json!(v)).boxed(),
        Kind::Double { .. } | Kind::Timestamp => any::<f64>().prop_map(|v| json!(v)).boxed(),
        Kind::Boolean => any::<bool>().prop_map(|v| json!(v)).boxed(),
        _ => Just(json!({})).boxed(),
    };
    prop_oneof![20 => leaf, 1 => Just(Value::Null), 1 => Just(json!([{}])), 1 => Just(json!(1.5))].boxed()
}

/// The body of an operation of ours, half the time near its shape.
fn request() -> impl Strategy<Value = (&'static OperationInfo, Vec<u8>)> {
    let all: Vec<&'static OperationInfo> = operations().filter(|o| o.input.is_some()).collect();
    prop::sample::select(all).prop_flat_map(|operation| {
        let shape = operation.input.unwrap();
        let body = near(shape, 3).prop_map(|value| value.to_string().into_bytes());
        let noise = prop::collection::vec(any::<u8>(), 0..64);
        (Just(operation), prop_oneof![4 => body, 1 => noise])
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn no_body_makes_decoding_panic((operation, body) in request()) {
        if let Err(error) = decode_value(operation, &body) {
            prop_assert_eq!(error.status(), 400);
        }
    }

    /// What passes the tables' checks deserializes: the DTOs and the tables agree.
    #[test]
    fn what_is_checked_fits_the_dto(value in near(&crate::ecs::shapes::REGISTER_TASK_DEFINITION_REQUEST, 4)) {
        let body = value.to_string();
        if let Ok(checked) = decode_value(&ecs::ops::REGISTER_TASK_DEFINITION, body.as_bytes()) {
            let dto: ecs::RegisterTaskDefinitionRequest = serde_json::from_value(checked).unwrap();
            let again = serde_json::to_value(&dto).unwrap();
            let decoded: ecs::RegisterTaskDefinitionRequest = serde_json::from_value(again).unwrap();
            prop_assert_eq!(dto, decoded);
        }
    }
}
