//! Types: a JSON value made to fit a shape, or `SerializationException`.
//!
//! Null and unknown members are dropped, as AWS's front ends do; a number's fraction is cut off
//! where a whole number is expected. The messages are those that ECS's and DynamoDB's front ends
//! are seen to answer (they run the same framework), its Java class names included.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::operation::ServiceInfo;
use crate::shape::{Kind, Member, Shape};

const STRUCTURE: &str = "Start of structure or map found where not expected";

pub fn coerce(service: &ServiceInfo, shape: &Shape, value: Value) -> Result<Value, Error> {
    let unrecognized =
        |class: &str| Err(Error::serialization(format!("Unrecognized collection type {class}")));
    match (&shape.kind, value) {
        (Kind::Document, value) => Ok(value),
        (Kind::Structure { members, .. }, Value::Object(object)) => structure(service, members, object),
        (Kind::Structure { .. }, Value::Array(_)) => {
            unrecognized(&format!("class {}.{}", package(service), shape.name))
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            let items: Result<Vec<Value>, Error> = items
                .into_iter()
                .map(|item| if item.is_null() { Ok(item) } else { coerce(service, member, item) })
                .collect();
            items.map(Value::Array)
        }
        (Kind::Map { value: inner, .. }, Value::Object(object)) => {
            let mut kept = Map::new();
            for (key, item) in object {
                let item = if item.is_null() { item } else { coerce(service, inner, item)? };
                kept.insert(key, item);
            }
            Ok(Value::Object(kept))
        }
        (Kind::Map { value, .. }, Value::Array(_)) => {
            unrecognized(&format!("java.util.Map<java.lang.String, {}>", class(service, value)))
        }
        (Kind::List { .. }, Value::Object(_)) => Err(Error::serialization(STRUCTURE)),
        (Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. }, _) => {
            Err(Error::serialization("Unexpected field type"))
        }
        (_, Value::Object(_)) => Err(Error::serialization(STRUCTURE)),
        (_, Value::Array(_)) => unrecognized(&format!("class {}", class(service, shape))),
        (_, scalar_value) => scalar(shape, scalar_value),
    }
}

fn structure(
    service: &ServiceInfo,
    members: &[Member],
    mut object: Map<String, Value>,
) -> Result<Value, Error> {
    let mut kept = Map::new();
    for member in members {
        match object.remove(member.name) {
            None | Some(Value::Null) => {}
            Some(value) => {
                kept.insert(member.name.to_owned(), coerce(service, member.shape, value)?);
            }
        }
    }
    Ok(Value::Object(kept))
}

fn scalar(shape: &Shape, value: Value) -> Result<Value, Error> {
    match (&shape.kind, &value) {
        (Kind::String { .. }, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(value),
        (Kind::Integer { .. }, Value::Number(number)) => {
            whole(number, i32::MIN.into(), i32::MAX.into(), "Integer")
        }
        (Kind::Long { .. }, Value::Number(number)) => whole(number, i64::MIN, i64::MAX, "Long"),
        (Kind::Double { .. }, Value::Number(_)) => Ok(value),
        (Kind::Timestamp, Value::Number(number)) => {
            // The years from 1970 to 9999: what a Timestamp can hold.
            let seconds = number.as_f64().unwrap_or(f64::NAN);
            if (0.0..253_402_300_800.0).contains(&seconds) {
                Ok(value)
            } else {
                Err(cannot(&value, "milliseconds since epoch"))
            }
        }
        (Kind::Blob { .. }, Value::String(text)) => {
            if text.len() % 4 != 0 {
                return Err(Error::serialization(format!(
                    "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
                    text.len()
                )));
            }
            match STANDARD.decode(text) {
                Ok(_) => Ok(value),
                Err(_) => Err(Error::serialization("Invalid last non-pad Base64 character dectected")),
            }
        }
        (Kind::Blob { .. }, _) => {
            Err(Error::serialization("only base-64-encoded strings are convertible to bytes"))
        }
        (Kind::Boolean, Value::String(_)) => {
            Err(Error::serialization("Unexpected token received from parser"))
        }
        (Kind::Boolean, _) => Err(cannot(&value, "Boolean")),
        (Kind::Integer { .. }, _) => Err(cannot(&value, "Integer")),
        (Kind::Long { .. }, _) => Err(cannot(&value, "Long")),
        (Kind::Double { .. }, _) => Err(cannot(&value, "Double")),
        (Kind::Timestamp, _) => Err(cannot(&value, "milliseconds since epoch")),
        _ => Err(cannot(&value, "String")),
    }
}

fn whole(number: &Number, min: i64, max: i64, name: &str) -> Result<Value, Error> {
    let cut = number.as_i64().or_else(|| {
        let number = number.as_f64()?.trunc();
        // `as` saturates; the bounds of i64 are exact powers of two as floats.
        (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number).then_some(number as i64)
    });
    match cut.filter(|number| (min..=max).contains(number)) {
        Some(number) => Ok(number.into()),
        None => Err(cannot(&Value::Number(number.clone()), name)),
    }
}

fn cannot(value: &Value, target: &str) -> Error {
    let token = match value {
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::Null => "NULL_VALUE",
        _ => "STRING_VALUE",
    };
    Error::serialization(format!("{token} cannot be converted to {target}"))
}

fn class(service: &ServiceInfo, shape: &Shape) -> String {
    match shape.kind {
        Kind::String { .. } => "java.lang.String".to_owned(),
        Kind::Integer { .. } => "java.lang.Integer".to_owned(),
        Kind::Long { .. } => "java.lang.Long".to_owned(),
        Kind::Double { .. } => "java.lang.Double".to_owned(),
        Kind::Boolean => "java.lang.Boolean".to_owned(),
        Kind::Timestamp => "java.util.Date".to_owned(),
        Kind::Blob { .. } => "java.nio.ByteBuffer".to_owned(),
        _ => format!("{}.{}", package(service), shape.name),
    }
}

fn package(service: &ServiceInfo) -> String {
    match service.name {
        // As ECS spells it; Madison is its front end.
        "ecs" => "com.amazonaws.madison.frontend".to_owned(),
        other => format!("com.amazonaws.{other}"),
    }
}
