//! Filter patterns, as the CloudWatch Logs user guide ("Filter pattern syntax") describes them. Pure.
//!
//! A pattern is one of three languages, told apart by its first character: `terms` (words anywhere in
//! a message), `{…}` over the fields of a JSON message (`json`), `[…]` over the words of a message
//! (`columns`). All three know regular expressions between `%` (`expression`); the latter two share
//! their conditions (`condition`), what they compare with (`comparison`) and their reader (`reader`).
//!
//! What the guide leaves open is settled here: where a message can't be what the pattern asks about
//! (no JSON, a field that is missing, null or a container), no comparison holds, `!=` included.

mod columns;
mod comparison;
mod condition;
mod expression;
mod json;
mod reader;
mod terms;

use std::collections::BTreeMap;

use columns::Columns;
use json::Json;
use terms::Terms;

/// What an event's message must be like.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Terms(Terms),
    Json(Json),
    Columns(Columns),
}

/// The general text is what CloudWatch Logs answers, and so are those of the first two; for the
/// others its texts aren't public.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPattern {
    #[error("Invalid filter pattern: Invalid character(s) in term '{term}'")]
    Character { term: String },
    #[error("Invalid filter pattern: If a filter pattern starts with '{open}' it must end with '{close}'")]
    NotClosed { open: char, close: char },
    #[error("Invalid filter pattern: a quotation mark is not closed")]
    OpenQuote,
    #[error("Invalid filter pattern: a regular expression is not closed by %")]
    OpenRegex,
    #[error("Invalid filter pattern: the regular expression '{text}' is not valid")]
    Regex { text: String },
    #[error("Invalid filter pattern: it has more than {} regular expressions", reader::MAX_REGEXES)]
    TooManyRegexes,
    #[error("Invalid filter pattern: it has too many wildcards in its selectors")]
    TooManyWildcards,
    #[error("Invalid filter pattern: expected {expected} at '{found}'")]
    Syntax { expected: &'static str, found: String },
    #[error("Invalid filter pattern: a number must follow {operator}, not '{found}'")]
    NotANumber { operator: &'static str, found: String },
    #[error("Invalid filter pattern: a condition between commas must name one field only, not '{name}' too")]
    OtherField { name: String },
    #[error("Invalid filter pattern: the field name '{name}' stands twice")]
    SameName { name: String },
    #[error("Invalid filter pattern: it can have one ellipsis only")]
    TwoEllipses,
    #[error("Invalid filter pattern: it is nested too deeply")]
    TooDeep,
}

impl From<BadPattern> for wire::Error {
    fn from(error: BadPattern) -> wire::Error {
        wire::Error::invalid_parameter(error.to_string())
    }
}

impl Pattern {
    /// An empty pattern matches everything.
    pub(crate) fn parse(text: &str) -> Result<Pattern, BadPattern> {
        let text = text.trim();
        match text.chars().next() {
            Some('{') => Json::parse(enclosed(text, '{', '}')?).map(Pattern::Json),
            Some('[') => Columns::parse(enclosed(text, '[', ']')?).map(Pattern::Columns),
            _ => Terms::parse(text).map(Pattern::Terms),
        }
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        match self {
            Pattern::Terms(terms) => terms.matches(message),
            Pattern::Json(json) => json.matches(message),
            Pattern::Columns(columns) => columns.matches(message),
        }
    }

    /// The named and numbered fields of a message that matches; only patterns over columns have any.
    pub(crate) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        match self {
            Pattern::Columns(columns) => columns.extract(message),
            Pattern::Terms(_) | Pattern::Json(_) => self.matches(message).then(BTreeMap::new),
        }
    }
}

/// What stands between the outermost marks.
fn enclosed(text: &str, open: char, close: char) -> Result<&str, BadPattern> {
    let inner = text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    inner.ok_or(BadPattern::NotClosed { open, close })
}

#[cfg(test)]
mod tests;
