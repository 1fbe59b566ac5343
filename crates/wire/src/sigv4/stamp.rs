//! Times as signatures spell them.

use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const BASIC: &[time::format_description::BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// `20261123T114932Z`; milliseconds are cut off. `None` after the year 9999.
pub fn format(ms: u64) -> Option<String> {
    let seconds = i64::try_from(ms / 1000).ok()?;
    let text = OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(BASIC).ok()?;
    (text.len() == 16).then_some(text)
}

/// Reads `20261123T114932Z` to milliseconds since the epoch.
pub fn parse_basic(text: &str) -> Option<u64> {
    if text.len() != 16 {
        return None;
    }
    to_ms(PrimitiveDateTime::parse(text, BASIC).ok()?.assume_utc())
}

/// Reads the `Date` header of HTTP.
pub fn parse_http_date(text: &str) -> Option<u64> {
    to_ms(OffsetDateTime::parse(text, &Rfc2822).ok()?)
}

fn to_ms(at: OffsetDateTime) -> Option<u64> {
    u64::try_from(at.unix_timestamp()).ok()?.checked_mul(1000)
}
