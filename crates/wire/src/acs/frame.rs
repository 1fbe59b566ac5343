//! `{"type": …, "message": {…}}` to and from text.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A frame that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<T> {
    Known(T),
    /// A type that isn't among ours: ignore it. It is no sign of life of the peer either.
    Unknown(String),
}

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is no JSON object with a type")]
    NotAFrame,
    #[error("the frame is no JSON")]
    Json(#[source] serde_json::Error),
    #[error("the message of a {kind} has not the shape of one")]
    Message {
        kind: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the frame can't be written as JSON")]
    Encode(#[source] serde_json::Error),
}

pub(crate) fn encode<T: Serialize>(frame: &T) -> Result<String, FrameError> {
    serde_json::to_string(frame).map_err(FrameError::Encode)
}

/// `types` are the spellings of `type` that `T` knows.
pub(crate) fn decode<T: DeserializeOwned>(text: &str, types: &[&str]) -> Result<Decoded<T>, FrameError> {
    // Nearly every frame is read in one go. What is anything but plain is read with care.
    if !text.contains("null")
        && let Ok(message) = serde_json::from_str(text)
    {
        return Ok(Decoded::Known(message));
    }
    let mut frame: Value = serde_json::from_str(text).map_err(FrameError::Json)?;
    let kind = frame.get("type").and_then(Value::as_str).ok_or(FrameError::NotAFrame)?;
    if !types.contains(&kind) {
        return Ok(Decoded::Unknown(kind.to_owned()));
    }
    let kind = kind.to_owned();
    drop_nulls(&mut frame);
    match serde_json::from_value(frame) {
        Ok(message) => Ok(Decoded::Known(message)),
        Err(source) => Err(FrameError::Message { kind, source }),
    }
}

/// A null member is an absent one, as for the official agent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
