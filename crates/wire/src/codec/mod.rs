//! From a request's body to the operation's input.

use serde_json::Value;

use crate::error::Error;
use crate::operation::Operation;

/// Decodes and checks the body of a request for `O`.
pub fn decode<O: Operation>(body: &[u8]) -> Result<O::Input, Error> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Error::serialization(error.to_string()))?;
    serde_json::from_value(value).map_err(|error| Error::serialization(error.to_string()))
}
