//! One answer's worth of events.

use super::merge::{Found, Merge};
use super::position::EventKey;
use crate::error::LogsError;

/// What bounds one answer (CloudWatch Logs: 1 MB or 10,000 events, whichever comes first).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) events: usize,
    /// Of messages in UTF-8 plus [`EVENT_OVERHEAD`] each. One event fits in any case.
    pub(crate) bytes: usize,
    /// Stop searching after so many bytes of segments, however little was found: an answer takes a
    /// bounded time.
    pub(crate) searched_bytes: u64,
}

/// What CloudWatch Logs counts for an event beside its message.
pub(crate) const EVENT_OVERHEAD: usize = 26;

impl Limits {
    pub(crate) fn new(limit: Option<i32>) -> Limits {
        const MAX: usize = 10_000;
        let events = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX).clamp(1, MAX);
        Limits { events, bytes: 1 << 20, searched_bytes: 64 << 20 }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    /// In the order of the merge.
    pub(crate) events: Vec<Found>,
    /// The first event that isn't part of the page, whether it matches or not. `None` when there
    /// are no more.
    pub(crate) rest: Option<EventKey>,
}

/// Takes events that `matches` until a limit is met.
pub(crate) fn fill(
    merge: &mut Merge<'_>,
    limits: Limits,
    mut matches: impl FnMut(&Found) -> bool,
) -> Result<Page, LogsError> {
    let mut page = Page::default();
    let mut bytes = 0;
    let mut passed = 0u64;
    while let Some(found) = merge.next()? {
        let searched_enough = merge.read_bytes() > limits.searched_bytes && passed > 0;
        if page.events.len() == limits.events || searched_enough {
            page.rest = Some(found.key);
            break;
        }
        passed += 1;
        if !matches(&found) {
            continue;
        }
        bytes += found.message().len() + EVENT_OVERHEAD;
        if bytes > limits.bytes && !page.events.is_empty() {
            page.rest = Some(found.key);
            break;
        }
        page.events.push(found);
    }
    Ok(page)
}
