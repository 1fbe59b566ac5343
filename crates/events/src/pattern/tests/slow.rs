//! Another reading of patterns, from their JSON and by brute force: every way to take one object of each list, every
//! way through `$or`, one field after the other.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Pattern;

type Asked = Vec<(Vec<String>, Vec<Value>)>;

fn slow(pattern: &Value, event: &Value) -> bool {
    let ways = ways_through(pattern.as_object().unwrap(), &[]);
    let events = choices(event);
    ways.iter().any(|asked| {
        events.iter().any(|chosen| {
            asked.iter().all(|(path, tests)| tests.iter().any(|test| holds(test, path, chosen, event)))
        })
    })
}

/// All that a pattern asks, for each way through its alternatives.
fn ways_through(object: &Map<String, Value>, path: &[String]) -> Vec<Asked> {
    let mut ways: Vec<Asked> = vec![Vec::new()];
    for (name, value) in object {
        let within = |name: &str| [path, &[name.to_owned()]].concat();
        let further: Vec<Asked> = match (name.as_str(), value) {
            ("$or", Value::Array(objects)) => {
                objects.iter().flat_map(|one| ways_through(one.as_object().unwrap(), path)).collect()
            }
            (_, Value::Object(object)) => ways_through(object, &within(name)),
            (_, Value::Array(tests)) => vec![vec![(within(name), tests.clone())]],
            _ => unreachable!(),
        };
        ways = ways
            .iter()
            .flat_map(|way| further.iter().map(|more| [way.clone(), more.clone()].concat()))
            .collect();
    }
    ways
}

/// The event with one object in place of each list of objects.
fn choices(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => items.iter().flat_map(choices).collect(),
        Value::Object(object) => object.iter().fold(vec![json!({})], |all, (name, value)| {
            let with = |one: &Value, value: Value| {
                let mut one = one.clone();
                one[name] = value;
                one
            };
            let values = choices(value);
            all.iter()
                .flat_map(|one| values.iter().map(|value| with(one, value.clone())).collect::<Vec<_>>())
                .collect()
        }),
        other => vec![other.clone()],
    }
}

fn leaves(value: &Value, path: &[String]) -> Vec<Value> {
    match (value, path) {
        (Value::Array(items), _) => items.iter().flat_map(|item| leaves(item, path)).collect(),
        (Value::Object(object), [name, rest @ ..]) => {
            object.get(name).map(|v| leaves(v, rest)).unwrap_or_default()
        }
        (Value::Object(_), []) | (_, [_, ..]) => Vec::new(),
        (leaf, []) => vec![leaf.clone()],
    }
}

fn holds(test: &Value, path: &[String], chosen: &Value, event: &Value) -> bool {
    if test == &json!({"exists": false}) {
        return leaves(event, path).is_empty();
    }
    leaves(chosen, path).iter().any(|leaf| match test {
        Value::Object(test) => {
            let (name, value) = test.iter().next().unwrap();
            let text = leaf.as_str().unwrap_or("\u{0}");
            match name.as_str() {
                "exists" => true,
                "prefix" => text.starts_with(value.as_str().unwrap()),
                "anything-but" => value.as_array().unwrap().iter().all(|one| one != leaf),
                "numeric" => leaf.as_i64().is_some_and(|number| number > value[1].as_i64().unwrap()),
                other => unreachable!("{other}"),
            }
        }
        plain => plain == leaf,
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![(0..3i64).prop_map(Value::from), "[xy]{1,2}".prop_map(Value::from), Just(Value::Null)]
}

fn event() -> impl Strategy<Value = Value> {
    let object = |inner: BoxedStrategy<Value>| {
        proptest::collection::btree_map("[abc]", inner, 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let leaf = prop_oneof![scalar(), proptest::collection::vec(scalar(), 0..3).prop_map(Value::from)].boxed();
    let nested = leaf.prop_recursive(3, 12, 3, move |inner| {
        let one = object(inner.clone()).boxed();
        prop_oneof![one.clone(), proptest::collection::vec(one, 1..3).prop_map(Value::from)]
    });
    object(nested.boxed())
}

fn pattern() -> impl Strategy<Value = Value> {
    let test = prop_oneof![
        4 => scalar(),
        1 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
        1 => "[xy]".prop_map(|prefix| json!({ "prefix": prefix })),
        1 => prop_oneof![Just(json!(["x", "y"])), Just(json!([1, 2]))].prop_map(|list| json!({ "anything-but": list })),
        1 => (0..2).prop_map(|number| json!({"numeric": [">", number]})),
    ];
    let object = |inner: BoxedStrategy<Value>| {
        proptest::collection::btree_map("[abc]", inner, 1..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    };
    let leaf = proptest::collection::vec(test, 1..3).prop_map(Value::from).boxed();
    let nested = leaf.prop_recursive(3, 12, 3, move |inner| {
        let one = object(inner.clone());
        let or = proptest::collection::vec(object(inner.clone()), 2..3);
        prop_oneof![
            2 => one.boxed(),
            1 => (object(inner.clone()), or).prop_map(|(mut object, or)| {
                object["$or"] = Value::from(or);
                object
            }),
        ]
    });
    object(nested.boxed())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readings_agree(pattern in pattern(), event in event()) {
        let read = Pattern::parse(&pattern.to_string()).unwrap();
        prop_assert_eq!(read.matches(&event), slow(&pattern, &event), "{} {}", pattern, event);
    }

    #[test]
    fn what_matches_may_match(pattern in pattern(), source in "[xy]", event in event()) {
        let pattern = pattern.to_string().replace("\"a\":", "\"source\":");
        let Ok(read) = Pattern::parse(&pattern) else { return Ok(()) };
        let mut event = event;
        event["source"] = Value::from(source.clone());
        if read.matches(&event) {
            prop_assert!(read.may_match(&source, "t"), "{} {}", pattern, event);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC*|[\\[\\]{}\":,$ora1*-]{0,40}") {
        let _ = Pattern::parse(&text);
    }
}
