//! Reading a pattern, with what is wrong with it and where.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::leaf::{Leaf, Network, Range, Text};
use super::wildcard::Wildcard;
use super::{Fields, Test};

/// In the words of EventBridge, and the field that is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", at(path))]
pub struct BadPattern {
    reason: String,
    path: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" at {path}") }
}

/// Operators, which are no names of fields within `$or`.
const RESERVED: [&str; 9] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "cidr",
    "exists",
];
/// Objects in objects: deeper ones are refused before they cost a stack.
const DEPTH: usize = 64;
/// The numbers that can be compared.
const LIMIT: f64 = 5.0e9;

/// The ways through alternatives: as many as are looked at.
const WAYS: usize = 1000;

pub(super) fn pattern(text: &str) -> Result<Vec<Fields>, BadPattern> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| bad("", format!("The pattern is not valid JSON: {error}")))?;
    let Value::Object(object) = value else { return Err(bad("", "Filter is not an object")) };
    fields(&object, "", false, 0)
}

fn bad(path: &str, reason: impl Into<String>) -> BadPattern {
    BadPattern { reason: reason.into(), path: path.to_owned() }
}

fn fields(
    object: &Map<String, Value>,
    path: &str,
    within_or: bool,
    depth: usize,
) -> Result<Vec<Fields>, BadPattern> {
    if object.is_empty() {
        return Err(bad(path, "Empty objects are not allowed"));
    }
    if depth > DEPTH {
        return Err(bad(path, format!("Objects more than {DEPTH} deep are not allowed")));
    }
    let mut ways = vec![Fields::default()];
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let further = member(name, value, &path, within_or, depth + 1)?;
        if ways.len() * further.len() > WAYS {
            return Err(bad(&path, format!("Rule is too complex - more than {WAYS} ways through $or")));
        }
        ways = ways.iter().flat_map(|way| further.iter().map(|more| way.clone().and(more))).collect();
    }
    Ok(ways)
}

fn member(
    name: &str,
    value: &Value,
    path: &str,
    within_or: bool,
    depth: usize,
) -> Result<Vec<Fields>, BadPattern> {
    if name == "$or"
        && let Some(objects) = alternatives(value)
    {
        let mut ways = Vec::new();
        for object in objects {
            ways.extend(fields(object, path, true, depth)?);
        }
        return Ok(ways);
    }
    if within_or && RESERVED.contains(&name) {
        return Err(bad(path, format!("{name} is a reserved name, which cannot be used inside $or")));
    }
    let named = |test| Fields(vec![(name.to_owned(), test)]);
    match value {
        Value::Object(object) => {
            let ways = fields(object, path, within_or, depth)?;
            Ok(ways.into_iter().map(|fields| named(Test::Object(fields))).collect())
        }
        Value::Array(values) if values.is_empty() => Err(bad(path, "Empty arrays are not allowed")),
        Value::Array(values) => {
            let leaves = values.iter().map(|value| leaf(value, path)).collect::<Result<_, _>>()?;
            Ok(vec![named(Test::Leaves(leaves))])
        }
        _ => Err(bad(path, format!("\"{name}\" must be an object or an array"))),
    }
}

/// `$or` is one only before two objects or more that name fields; else it is a field like any other.
fn alternatives(value: &Value) -> Option<Vec<&Map<String, Value>>> {
    let objects: Vec<_> = value.as_array()?.iter().map(Value::as_object).collect::<Option<_>>()?;
    let names_fields =
        |object: &&Map<String, Value>| !object.keys().any(|name| RESERVED.contains(&name.as_str()));
    (objects.len() >= 2 && objects.iter().all(names_fields)).then_some(objects)
}

fn leaf(value: &Value, path: &str) -> Result<Leaf, BadPattern> {
    match value {
        Value::Object(object) => operator(object, path),
        Value::Array(_) => Err(bad(path, "Match value must be String, number, true, false, or null")),
        plain => Ok(Leaf::Equals(plain.clone())),
    }
}

/// The one key of a match expression, and its value.
fn only<'v>(object: &'v Map<String, Value>, path: &str) -> Result<(&'v str, &'v Value), BadPattern> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        (None, _) => Err(bad(path, "Match expression name not found")),
        _ => Err(bad(path, "Only one key allowed in match expression")),
    }
}

fn operator(object: &Map<String, Value>, path: &str) -> Result<Leaf, BadPattern> {
    let (name, value) = only(object, path)?;
    let text = || value.as_str().ok_or_else(|| bad(path, format!("{name} match pattern must be a string")));
    Ok(match name {
        "exactly" => Leaf::Equals(text()?.into()),
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => Leaf::Text(text_test(name, value, path)?),
        "anything-but" => anything_but(value, path)?,
        "numeric" => Leaf::Numeric(numeric(value, path)?),
        "cidr" => Leaf::Cidr(cidr(text()?).map_err(|reason| bad(path, reason))?),
        "exists" => match value {
            Value::Bool(exists) => Leaf::Exists(*exists),
            _ => return Err(bad(path, "exists match pattern must be either true or false.")),
        },
        _ => return Err(bad(path, format!("Unrecognized match type {name}"))),
    })
}

fn text_test(name: &str, value: &Value, path: &str) -> Result<Text, BadPattern> {
    let string = || bad(path, format!("{name} match pattern must be a string"));
    if let (Value::Object(object), "prefix" | "suffix") = (value, name) {
        let ("equals-ignore-case", Value::String(text)) = only(object, path)? else { return Err(string()) };
        let text = text.to_lowercase();
        return Ok(if name == "prefix" {
            Text::PrefixIgnoreCase(text)
        } else {
            Text::SuffixIgnoreCase(text)
        });
    }
    let text = value.as_str().ok_or_else(string)?;
    Ok(match name {
        "prefix" => Text::Prefix(text.to_owned()),
        "suffix" => Text::Suffix(text.to_owned()),
        "wildcard" => Text::Wildcard(Wildcard::parse(text).map_err(|reason| bad(path, reason))?),
        _ => Text::IgnoreCase(text.to_lowercase()),
    })
}

fn anything_but(value: &Value, path: &str) -> Result<Leaf, BadPattern> {
    let list = match value {
        Value::Object(object) => {
            let (name, value) = only(object, path)?;
            if !matches!(name, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return Err(bad(path, format!("Unsupported anything-but pattern: {name}")));
            }
            let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let empty = |text: &Value| text.as_str() == Some("") && name != "equals-ignore-case";
            if texts.is_empty() || texts.iter().any(empty) {
                return Err(bad(path, format!("Null {name} not allowed")));
            }
            let tests = texts.iter().map(|text| text_test(name, text, path)).collect::<Result<_, _>>()?;
            return Ok(Leaf::NotText(tests));
        }
        Value::Array(list) => list.as_slice(),
        Value::String(_) | Value::Number(_) => std::slice::from_ref(value),
        _ => return Err(bad(path, "Value of anything-but must be an array or single string/number value.")),
    };
    let all = |is: fn(&Value) -> bool| list.iter().all(is);
    if list.is_empty() || !(all(Value::is_string) || all(Value::is_number)) {
        let reason =
            "Inside anything but list, either all values are number or string, mixed type is not supported";
        return Err(bad(path, reason));
    }
    Ok(Leaf::AnythingBut(list.to_vec()))
}

fn numeric(value: &Value, path: &str) -> Result<Range, BadPattern> {
    let Value::Array(terms) = value else { return Err(bad(path, "Value of numeric must be an array.")) };
    let mut range = Range::default();
    for (at, pair) in terms.chunks(2).enumerate() {
        let [Value::String(operator), number] = pair else {
            return Err(bad(path, format!("Invalid member in numeric match: {}", pair[0])));
        };
        let number =
            number.as_f64().ok_or_else(|| bad(path, format!("Value of {operator} must be numeric")))?;
        if number.abs() > LIMIT {
            return Err(bad(path, "Value must be between -5.0E9 and 5.0E9, inclusive"));
        }
        match (operator.as_str(), at) {
            ("=", 0) => range = Range { low: Some((number, true)), high: Some((number, true)) },
            (">" | ">=", 0) => range.low = Some((number, operator == ">=")),
            ("<" | "<=", _) if range.high.is_none() => range.high = Some((number, operator == "<=")),
            (_, 0) => return Err(bad(path, format!("Unrecognized numeric range operator: {operator}"))),
            _ if range.low.is_none() || range.high.is_some() => {
                return Err(bad(path, "Too many elements in numeric expression"));
            }
            _ => return Err(bad(path, format!("Bad numeric range operator: {operator}"))),
        }
    }
    match range {
        Range { low: None, high: None } => Err(bad(path, "Value of numeric must not be empty.")),
        Range { low: Some((low, own)), high: Some((high, too)) }
            if low > high || (low == high && !(own && too)) =>
        {
            Err(bad(path, "Bottom must be less than top"))
        }
        range => Ok(range),
    }
}

fn cidr(text: &str) -> Result<Network, String> {
    let (address, prefix) = text.split_once('/').ok_or("Malformed CIDR, one '/' required")?;
    let address: IpAddr = address.parse().map_err(|_| format!("Malformed CIDR, no IP address: {address}"))?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.parse() {
        Ok(prefix) if prefix <= widest => Ok(Network { address, prefix }),
        Ok(_) => Err(format!("Malformed CIDR, mask bits must be < {}", widest + 1)),
        Err(_) => Err("Malformed CIDR, mask bits must be an integer".to_owned()),
    }
}
