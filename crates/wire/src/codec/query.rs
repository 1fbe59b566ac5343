//! The AWS Query protocol's form fields, to and from a JSON value.
//!
//! A member is `Name`, a member of a member `Name.Inner`, a list's items `Name.member.1`,
//! `Name.member.2`, … (botocore's query serializer says so for lists that aren't flattened; no
//! model here has a flattened one).

use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::form;
use crate::shape::{Kind, Shape};
use crate::types::Timestamp;

/// More items than any model's lists take; the numbers come from the caller.
const MOST_ITEMS: usize = 1000;

pub fn parse(shape: &Shape, form: &[u8]) -> Result<Value, Error> {
    let text = std::str::from_utf8(form)
        .map_err(|_| Error::new("MalformedInput", "The form is not valid UTF-8."))?;
    if form::has_too_many(text.as_bytes()) {
        return Err(Error::new("MalformedInput", form::TOO_MANY));
    }
    let pairs = form::pairs(text);
    Ok(read(shape, "", &pairs)?.unwrap_or_else(|| Value::Object(Map::new())))
}

/// What the fields at and below `name` mean; `None` where there are none.
fn read(shape: &Shape, name: &str, pairs: &[(String, String)]) -> Result<Option<Value>, Error> {
    let here = || pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let below = || {
        let prefix = format!("{name}.");
        name.is_empty() || pairs.iter().any(|(key, _)| key.starts_with(&prefix))
    };
    Ok(match &shape.kind {
        Kind::Structure { members, .. } if below() => {
            let mut object = Map::new();
            for member in *members {
                let inner =
                    if name.is_empty() { member.name.to_owned() } else { format!("{name}.{}", member.name) };
                if let Some(value) = read(member.shape, &inner, pairs)? {
                    object.insert(member.name.to_owned(), value);
                }
            }
            Some(Value::Object(object))
        }
        Kind::List { member, .. } if below() => {
            let mut items = Vec::new();
            while items.len() < MOST_ITEMS {
                let inner = format!("{name}.member.{}", items.len() + 1);
                match read(member, &inner, pairs)? {
                    Some(value) => items.push(value),
                    None => break,
                }
            }
            Some(Value::Array(items))
        }
        // An empty list, or a structure of which nothing is said, is a name with an empty value.
        Kind::List { .. } => here().map(|_| Value::Array(Vec::new())),
        Kind::Structure { .. } => here().map(|_| Value::Object(Map::new())),
        Kind::Map { .. } => None,
        _ => here().map(|text| scalar(shape, name, text)).transpose()?,
    })
}

fn scalar(shape: &Shape, name: &str, text: &str) -> Result<Value, Error> {
    let malformed = || Error::new("MalformedInput", format!("The value of {name} is malformed."));
    Ok(match shape.kind {
        Kind::Integer { .. } | Kind::Long { .. } => text.parse::<i64>().map_err(|_| malformed())?.into(),
        Kind::Double { .. } => {
            let number = text.parse().ok().and_then(Number::from_f64).ok_or_else(malformed)?;
            Value::Number(number)
        }
        Kind::Boolean => text.parse::<bool>().map_err(|_| malformed())?.into(),
        Kind::Timestamp => {
            let at = Timestamp::from_iso8601(text).ok_or_else(malformed)?;
            serde_json::to_value(at).map_err(|_| malformed())?
        }
        _ => text.into(),
    })
}

/// The fields of `value`, in the model's order, for a client's request.
pub fn fields(shape: &Shape, name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(object)) => {
            let before = out.len();
            for member in *members {
                let Some(value) = object.get(member.name) else { continue };
                let inner =
                    if name.is_empty() { member.name.to_owned() } else { format!("{name}.{}", member.name) };
                fields(member.shape, &inner, value, out);
            }
            // In a list it would otherwise be missing, and what follows it would be out of reach.
            if out.len() == before && !name.is_empty() {
                out.push((name.to_owned(), String::new()));
            }
        }
        (Kind::List { .. }, Value::Array(items)) if items.is_empty() => {
            out.push((name.to_owned(), String::new()));
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            for (i, item) in items.iter().enumerate() {
                fields(member, &format!("{name}.member.{}", i + 1), item, out);
            }
        }
        (_, Value::String(text)) => out.push((name.to_owned(), text.clone())),
        (_, Value::Null) => {}
        (_, other) => out.push((name.to_owned(), other.to_string())),
    }
}
