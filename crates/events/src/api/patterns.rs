//! Event patterns, as they come in a request.

use serde_json::Value;
use wire::events::{TestEventPatternRequest, TestEventPatternResponse};
use wire::{Context, Error};

use super::{Service, invalid};
use crate::pattern::Pattern;

/// The fields that an event to test must have (API reference, TestEventPattern).
const NEEDED: [&str; 7] = ["id", "account", "source", "time", "region", "resources", "detail-type"];

pub(super) fn read(text: &str) -> Result<Pattern, Error> {
    Pattern::parse(text).map_err(|error| {
        Error::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {error}"))
    })
}

pub(super) async fn test(
    _: &Service,
    _: &Context,
    input: TestEventPatternRequest,
) -> Result<TestEventPatternResponse, Error> {
    let pattern = read(&input.event_pattern)?;
    let event: Value =
        serde_json::from_str(&input.event).map_err(|_| invalid("Parameter Event is not valid."))?;
    let missing = NEEDED.iter().find(|name| event.get(name).is_none());
    match (event.is_object(), missing) {
        (false, _) => Err(invalid("Parameter Event is not valid.")),
        (true, Some(name)) => {
            Err(invalid(format!("Parameter Event is not valid. Reason: {name} is missing.")))
        }
        (true, None) => Ok(TestEventPatternResponse { result: Some(pattern.matches(&event)) }),
    }
}
