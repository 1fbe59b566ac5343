//! The one place where this crate reads a clock, and how a time is written out.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the epoch, from wherever the caller has them.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

pub fn system() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is wrong anyway.
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    })
}

/// `2026-11-23T11:49:31Z`.
pub fn rfc3339(ms: u64) -> String {
    wire::Timestamp::from_ms(ms - ms % 1000).to_iso8601().unwrap_or_default()
}
