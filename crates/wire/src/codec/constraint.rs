//! Values: required members, enums, lengths, ranges and patterns, from the model.
//!
//! All violations of a request are counted, ten of them shown, in the words of AWS's front ends.

use serde_json::Value;

use super::{ecs_words, pattern};
use crate::error::Error;
use crate::operation::OperationInfo;
use crate::shape::{Kind, Length, Shape};

const MOST_VIOLATIONS: usize = 10;

/// How much of an offending value an error shows, in characters.
const MOST_SHOWN: usize = 1024;

pub fn check(operation: &OperationInfo, shape: &Shape, value: &Value) -> Result<(), Error> {
    if operation.service.name == "ecs"
        && let Some(message) = ecs_words::refuse(shape, value)
    {
        return Err(Error::new(code(operation), message));
    }
    let mut violations = Vec::new();
    walk(shape, value, "", &mut violations);
    if violations.is_empty() {
        return Ok(());
    }
    let (count, plural) = (violations.len(), if violations.len() == 1 { "" } else { "s" });
    let message = format!("{count} validation error{plural} detected: {}", violations.join("; "));
    Err(Error::new(code(operation), message))
}

/// The error that this operation has for a bad parameter; AWS's common one where it has none.
fn code(operation: &OperationInfo) -> &'static str {
    let has = |name: &&&str| operation.errors.iter().any(|error| error.shape == **name);
    let known: &[&'static str] = match operation.service.name {
        "ecs" if operation.name == "RegisterTaskDefinition" => &["ClientException"],
        // Its model has no error for it; what EventBridge answers is this.
        "events" => return "ValidationException",
        _ => &["InvalidParameterException", "ValidationException", "ClientException"],
    };
    known.iter().find(has).copied().unwrap_or("ValidationError")
}

fn walk(shape: &Shape, value: &Value, path: &str, out: &mut Vec<String>) {
    if out.len() >= MOST_VIOLATIONS {
        return;
    }
    match (&shape.kind, value) {
        (Kind::Structure { members, union }, Value::Object(object)) => {
            for member in *members {
                let inner = join(path, member.name);
                match object.get(member.name) {
                    Some(value) => walk(member.shape, value, &inner, out),
                    None if member.required => {
                        violate(out, None, &inner, "Member must not be null".to_owned());
                    }
                    None => {}
                }
            }
            if *union && object.len() != 1 {
                let rule = "Member must have exactly one of its members set".to_owned();
                violate(out, Some(value), path, rule);
            }
        }
        (Kind::List { member, length }, Value::Array(items)) => {
            check_length(*length, items.len() as u64, value, path, out);
            let each = Items { whole: value, path, kind: "Member" };
            each.check(member, items.iter(), out);
            if is_nested(member) {
                for (i, item) in items.iter().enumerate() {
                    walk(member, item, &join(path, &format!("{}.member", i + 1)), out);
                }
            }
        }
        (Kind::Map { key, value: inner, length }, Value::Object(object)) => {
            check_length(*length, object.len() as u64, value, path, out);
            let keys: Vec<Value> = object.keys().map(|k| Value::String(k.clone())).collect();
            Items { whole: value, path, kind: "Map keys" }.check(key, keys.iter(), out);
            Items { whole: value, path, kind: "Map value" }.check(inner, object.values(), out);
            if is_nested(inner) {
                for (name, item) in object {
                    walk(inner, item, &join(path, &format!("{name}.member")), out);
                }
            }
        }
        (Kind::Blob { length }, Value::String(base64)) => {
            let padding = base64.bytes().rev().take_while(|b| *b == b'=').count();
            let bytes = (base64.len() / 4 * 3).saturating_sub(padding);
            check_length(*length, bytes as u64, value, path, out);
        }
        _ => {
            for rule in rules(shape).into_iter().filter(|rule| !rule.holds(value)) {
                violate(out, Some(value), path, rule.text());
            }
        }
    }
}

/// The scalars of a list or map: one that fails is told of the whole, with all rules of its shape.
struct Items<'a> {
    whole: &'a Value,
    path: &'a str,
    kind: &'static str,
}

impl Items<'_> {
    fn check<'v>(&self, shape: &Shape, mut items: impl Iterator<Item = &'v Value>, out: &mut Vec<String>) {
        let rules = if is_nested(shape) { Vec::new() } else { rules(shape) };
        let fails = |item: &Value| item.is_null() || rules.iter().any(|rule| !rule.holds(item));
        let Some(failed) = items.find(|item| fails(item)) else { return };
        let texts: Vec<String> = if failed.is_null() {
            vec!["Member must not be null".to_owned()]
        } else {
            rules.iter().map(Rule::text).collect()
        };
        let rule = format!("{} must satisfy constraint: [{}]", self.kind, texts.join(", "));
        violate(out, Some(self.whole), self.path, rule);
    }
}

fn is_nested(shape: &Shape) -> bool {
    matches!(shape.kind, Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. })
}

enum Rule {
    LongestLength(u64),
    ShortestLength(u64),
    Most(f64),
    Least(f64),
    Pattern(&'static str),
    OneOf(&'static [&'static str]),
}

fn rules(shape: &Shape) -> Vec<Rule> {
    match shape.kind {
        Kind::String { length, pattern, values } => {
            let mut rules = length_rules(length);
            rules.extend(pattern.map(Rule::Pattern));
            if !values.is_empty() {
                rules.push(Rule::OneOf(values));
            }
            rules
        }
        Kind::Integer { range: (min, max) } | Kind::Long { range: (min, max) } => {
            range_rules(min.map(|n| n as f64), max.map(|n| n as f64))
        }
        Kind::Double { min, max } => range_rules(min, max),
        _ => Vec::new(),
    }
}

fn length_rules(length: Length) -> Vec<Rule> {
    let longest = length.max.map(Rule::LongestLength);
    longest.into_iter().chain(length.min.map(Rule::ShortestLength)).collect()
}

fn range_rules(min: Option<f64>, max: Option<f64>) -> Vec<Rule> {
    max.map(Rule::Most).into_iter().chain(min.map(Rule::Least)).collect()
}

impl Rule {
    fn holds(&self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        let length = || text.encode_utf16().count() as u64;
        match self {
            Self::LongestLength(max) => length() <= *max,
            Self::ShortestLength(min) => length() >= *min,
            Self::Most(max) => value.as_f64().is_none_or(|n| n <= *max),
            Self::Least(min) => value.as_f64().is_none_or(|n| n >= *min),
            Self::Pattern(pattern) => pattern::matches(pattern, text),
            Self::OneOf(values) => values.contains(&text),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::LongestLength(max) => {
                format!("Member must have length less than or equal to {max}")
            }
            Self::ShortestLength(min) => {
                format!("Member must have length greater than or equal to {min}")
            }
            Self::Most(max) => format!("Member must have value less than or equal to {max}"),
            Self::Least(min) => format!("Member must have value greater than or equal to {min}"),
            Self::Pattern(pattern) => {
                format!("Member must satisfy regular expression pattern: {pattern}")
            }
            Self::OneOf(values) => {
                format!("Member must satisfy enum value set: [{}]", values.join(", "))
            }
        }
    }
}

fn check_length(length: Length, have: u64, value: &Value, path: &str, out: &mut Vec<String>) {
    if length.admits(have) {
        return;
    }
    let too_long = length.max.filter(|max| have > *max).map(Rule::LongestLength);
    let too_short = length.min.filter(|min| have < *min).map(Rule::ShortestLength);
    for rule in too_long.into_iter().chain(too_short) {
        violate(out, Some(value), path, rule.text());
    }
}

fn violate(out: &mut Vec<String>, value: Option<&Value>, path: &str, rule: String) {
    if out.len() < MOST_VIOLATIONS {
        let shown = value.map_or_else(|| "null".to_owned(), |value| format!("'{}'", shown(value)));
        out.push(format!("Value {shown} at '{path}' failed to satisfy constraint: {rule}"));
    }
}

/// As Java prints it: `[a, b]`, `{k=v}`, strings bare.
fn shown(value: &Value) -> String {
    let text = java(value);
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn java(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(java).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{key}={}", java(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
