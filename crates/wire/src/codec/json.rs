//! The body of an AWS JSON request.

use serde_json::{Map, Value};

use crate::error::Error;

/// No body is an empty object. Nesting beyond 128 levels is refused by the parser.
pub fn parse(body: &[u8]) -> Result<Value, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!("The request's body is not valid JSON (line {line}, column {column})");
        Error::serialization(message)
    })
}
