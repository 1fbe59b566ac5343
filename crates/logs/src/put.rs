//! The rules that `PutLogEvents` puts on a batch (API reference, PutLogEvents). Pure.

use std::ops::Range;

use wire::logs::{InputLogEvent, RejectedLogEventsInfo};

use crate::read::page::EVENT_OVERHEAD;

const MAX_BATCH_BYTES: usize = 1_048_576;
const HOUR_MS: i64 = 60 * 60 * 1000;
const MAX_AGE_MS: i64 = 14 * 24 * HOUR_MS;
const MAX_FUTURE_MS: i64 = 2 * HOUR_MS;
const MAX_SPAN_MS: i64 = 24 * HOUR_MS;

/// The batch is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBatch {
    #[error("Log event too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}")]
    EventTooLarge { bytes: usize },
    #[error("Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}")]
    TooLarge { bytes: usize },
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    Unordered,
    #[error("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")]
    SpanTooLong,
}

impl From<BadBatch> for wire::Error {
    fn from(error: BadBatch) -> wire::Error {
        wire::Error::invalid_parameter(error.to_string())
    }
}

/// The events to keep, and what the answer says about the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accepted {
    pub(crate) events: Range<usize>,
    pub(crate) rejected: Option<RejectedLogEventsInfo>,
}

/// `expired_before_ms` is where the group's retention period begins, if it has one.
pub(crate) fn accept(
    events: &[InputLogEvent],
    now_ms: i64,
    expired_before_ms: Option<i64>,
) -> Result<Accepted, BadBatch> {
    let size = |event: &InputLogEvent| event.message.len() + EVENT_OVERHEAD;
    if let Some(bytes) = events.iter().map(size).find(|bytes| *bytes > MAX_BATCH_BYTES) {
        return Err(BadBatch::EventTooLarge { bytes });
    }
    let bytes = events.iter().map(size).sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(BadBatch::TooLarge { bytes });
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(BadBatch::Unordered);
    }
    // In chronological order the old ones are the first and the new ones the last.
    let before = |limit: i64| events.partition_point(|event| event.timestamp < limit);
    let too_old = before(now_ms.saturating_sub(MAX_AGE_MS));
    let expired = expired_before_ms.map_or(0, before);
    let too_new = before(now_ms.saturating_add(MAX_FUTURE_MS).saturating_add(1));
    let start = too_old.max(expired).min(too_new);
    if let [first, .., last] = &events[start..too_new]
        && last.timestamp - first.timestamp > MAX_SPAN_MS
    {
        return Err(BadBatch::SpanTooLong);
    }
    let index = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: (too_new < events.len()).then_some(index(too_new)),
        too_old_log_event_end_index: (too_old > 0).then_some(index(too_old)),
        expired_log_event_end_index: (expired > 0).then_some(index(expired)),
    };
    let rejected = (rejected != RejectedLogEventsInfo::default()).then_some(rejected);
    Ok(Accepted { events: start..too_new, rejected })
}

#[cfg(test)]
mod tests;
