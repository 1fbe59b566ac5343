//! How values compare: by what their subject is, not by their letters.

use super::Subject;
use regex::{Regex, RegexBuilder};
use std::cmp::Ordering;

/// A pattern that must match the whole value, as `java.util.regex`'s `matches` does. Of Java's syntax
/// it has what doesn't need backtracking: no look-around and no back-references.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    whole: Regex,
}

/// A compiled pattern may take this much: `a{1000}{1000}` must not take the server's memory.
const MOST_BYTES: usize = 1 << 18;

impl Pattern {
    pub fn new(text: &str) -> Result<Self, String> {
        let whole =
            RegexBuilder::new(&format!("^(?:{text})$")).size_limit(MOST_BYTES).build().map_err(|error| {
                match error {
                    regex::Error::CompiledTooBig(_) => format!("the pattern {text} is too large"),
                    _ => format!("{text} is no regular expression that is understood here"),
                }
            })?;
        Ok(Self { text: text.to_owned(), whole })
    }

    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Numbers between dots; what follows them (`-rc1`) doesn't count, and what is missing is zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.strip_prefix('v').unwrap_or(text).split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
        while parts.last() == Some(&0) {
            parts.pop();
        }
        Some(Self(parts))
    }
}

/// A date of the developer guide's forms as seconds since the epoch.
pub(super) fn seconds(text: &str) -> Option<i64> {
    use time::macros::format_description;
    use time::{Date, OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc3339};
    let date = format_description!("[year]-[month]-[day]");
    let moment = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, moment).ok().map(PrimitiveDateTime::assume_utc))
        .or_else(|| Date::parse(text, date).ok().map(|date| date.midnight().assume_utc()))
        .map(OffsetDateTime::unix_timestamp)
}

/// How `value`, the instance's, stands to `argument`, which was found to fit the subject. Of
/// attributes numbers compare as numbers, all else by its letters.
pub(super) fn order(subject: &Subject, value: &str, argument: &str) -> Ordering {
    let letters = || value.cmp(argument);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match subject {
        Subject::RegisteredAt => value.parse().unwrap_or(0_i64).cmp(&seconds(argument).unwrap_or(0)),
        Subject::AgentVersion => Version::parse(value).cmp(&Version::parse(argument)),
        Subject::RunningTasksCount => number(value).partial_cmp(&number(argument)).unwrap_or_else(letters),
        // `1` and `1.0` are different values of an attribute, and neither is greater.
        Subject::Attribute(_) if value != argument => match (number(value), number(argument)) {
            (Some(a), Some(b)) if a != b => a.partial_cmp(&b).unwrap_or_else(letters),
            _ => letters(),
        },
        _ => letters(),
    }
}
