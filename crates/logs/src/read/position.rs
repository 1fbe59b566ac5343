//! Events' keys and ids, places between events, and the tokens that stand for them.

use std::str::FromStr;

/// An event's place in the order of reading: by time; at the same time by stream, then by arrival.
/// Total and stable, because streams' ids and ordinals are never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventKey {
    pub(crate) timestamp_ms: i64,
    pub(crate) stream: u64,
    pub(crate) ordinal: u64,
}

impl EventKey {
    /// The least key with this time.
    pub(crate) fn at(timestamp_ms: i64) -> EventKey {
        EventKey { timestamp_ms, ..EventKey::default() }
    }

    /// The place right behind this event.
    pub(crate) fn next(self) -> EventKey {
        EventKey { ordinal: self.ordinal.saturating_add(1), ..self }
    }

    /// 56 decimal digits, as CloudWatch Logs' event ids have.
    pub(crate) fn digits(self) -> String {
        format!("{:016}{:020}{:020}", self.timestamp_ms.max(0), self.stream, self.ordinal)
    }

    fn from_digits(digits: &str) -> Option<EventKey> {
        if digits.len() != 56 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(EventKey {
            timestamp_ms: digits[..16].parse().ok()?,
            stream: digits[16..36].parse().ok()?,
            ordinal: digits[36..].parse().ok()?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Towards later events.
    Forward,
    /// Towards earlier events.
    Backward,
}

/// A place between two events, and which way to go on from it. Forward comes every event whose key
/// is not less, backward every event whose key is less; so a page's end forward and backward are
/// the same kind of place, and an empty page stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) direction: Direction,
    pub(crate) gap: EventKey,
}

impl Token {
    /// `f/<digits>/s` or `b/<digits>/s`.
    pub(crate) fn render(self) -> String {
        let way = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        format!("{way}/{}/s", self.gap.digits())
    }
}

/// The text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The specified nextToken is invalid.")]
pub(crate) struct BadToken;

impl From<BadToken> for wire::Error {
    fn from(error: BadToken) -> wire::Error {
        wire::Error::invalid_parameter(error.to_string())
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Token, BadToken> {
        let (way, rest) = text.split_once('/').ok_or(BadToken)?;
        let direction = match way {
            "f" => Direction::Forward,
            "b" => Direction::Backward,
            _ => return Err(BadToken),
        };
        let digits = rest.strip_suffix("/s").ok_or(BadToken)?;
        let gap = EventKey::from_digits(digits).ok_or(BadToken)?;
        Ok(Token { direction, gap })
    }
}
