//! From a request's body to the operation's input, refused in AWS's words where it doesn't fit.
//!
//! Three steps, all driven by the shape tables: the protocol's syntax becomes a JSON value
//! ([`json`], [`query`]), whose types are checked and whose unknown and null members are dropped
//! ([`coerce`]), whose values are checked against the model's constraints ([`constraint`]). What
//! passes deserializes into the DTO.

mod coerce;
mod constraint;
mod ecs_words;
pub(crate) mod json;
mod pattern;
pub(crate) mod query;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::operation::{Operation, OperationInfo, Protocol};

/// Decodes and checks the body of a request for `O`.
pub fn decode<O: Operation>(body: &[u8]) -> Result<O::Input, Error> {
    let value = decode_value(O::INFO, body)?;
    // The tables and the DTOs come from one model, so this fails only where they disagree.
    serde_json::from_value(value).map_err(|error| Error::serialization(error.to_string()))
}

/// The checked members of a request's body: what `decode` deserializes.
pub fn decode_value(operation: &OperationInfo, body: &[u8]) -> Result<Value, Error> {
    let Some(shape) = operation.input else {
        return Ok(Value::Object(Map::new()));
    };
    let raw = match operation.service.protocol {
        Protocol::Json => json::parse(body)?,
        Protocol::Query => query::parse(shape, body)?,
    };
    let value = coerce::coerce(operation.service, shape, raw)?;
    constraint::check(operation, shape, &value)?;
    Ok(value)
}
