//! What a target is given of an event (EventBridge user guide, "Input transformation"). Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use wire::events::{InputTransformer, Target};

use super::path::JsonPath;
use crate::envelope::time;
use crate::state::RuleKey;

/// JSON where it is some; a template may make any text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    Json(Value),
    Text(String),
}

impl Input {
    pub fn text(&self) -> String {
        match self {
            Self::Json(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn read(text: String) -> Self {
        serde_json::from_str(&text).map_or(Self::Text(text), Self::Json)
    }
}

pub(crate) fn of(target: &Target, rule: &RuleKey, event: &Value, accepted_ms: u64) -> Input {
    if let Some(constant) = &target.input {
        return Input::read(constant.clone());
    }
    if let Some(path) = target.input_path.as_deref().and_then(JsonPath::parse) {
        // Nothing is there: the target is given nothing.
        return Input::Json(path.find(event).unwrap_or_default());
    }
    match &target.input_transformer {
        Some(transformer) => Input::read(fill(transformer, rule, event, accepted_ms)),
        None => Input::Json(event.clone()),
    }
}

/// The names that need no path.
const OF_RULE: [&str; 2] = ["aws.events.rule-arn", "aws.events.rule-name"];
const OF_EVENT: [&str; 3] = ["aws.events.event", "aws.events.event.json", "aws.events.event.ingestion-time"];

/// Whether a template's place holder needs no path of its own.
pub(super) fn is_predefined(name: &str) -> bool {
    OF_RULE.contains(&name) || OF_EVENT.contains(&name)
}

/// A template with its place holders filled. Within a JSON text a value is written without its quotes; elsewhere as the
/// JSON that it is. What the event hasn't is left out.
fn fill(transformer: &InputTransformer, rule: &RuleKey, event: &Value, accepted_ms: u64) -> String {
    let paths: BTreeMap<&str, JsonPath> = transformer
        .input_paths_map
        .iter()
        .flatten()
        .filter_map(|(name, path)| Some((name.as_str(), JsonPath::parse(path)?)))
        .collect();
    let value = |name: &str| match name {
        "aws.events.rule-arn" => Some(Value::from(rule.arn())),
        "aws.events.rule-name" => Some(Value::from(rule.name.as_str())),
        "aws.events.event.ingestion-time" => Some(Value::from(time(accepted_ms))),
        "aws.events.event.json" => Some(event.clone()),
        "aws.events.event" => {
            let mut event = event.clone();
            event.as_object_mut().map(|event| event.remove("detail"));
            Some(event)
        }
        _ => paths.get(name).and_then(|path| path.find(event)),
    };
    let mut filled = String::new();
    for piece in pieces(&transformer.input_template) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Holder { name, quoted } => match (value(name), quoted) {
                (Some(value), true) => filled.push_str(&unquoted(&value)),
                (Some(value), false) => filled.push_str(&value.to_string()),
                (None, _) => {}
            },
        }
    }
    filled
}

/// As it stands within a JSON text.
fn unquoted(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// `quoted`: it stands within a JSON text.
    Holder {
        name: &'t str,
        quoted: bool,
    },
}

/// A template apart. A `<` that no name and `>` follow is a text like any other.
pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    let mut at = 0;
    while let Some(character) = template[at..].chars().next() {
        match character {
            '"' if !escaped => quoted = !quoted,
            '<' => {
                let end = template[at..].find('>').map(|end| at + end);
                if let Some(end) = end.filter(|end| is_name(&template[at + 1..*end])) {
                    pieces.push(Piece::Text(&template[start..at]));
                    pieces.push(Piece::Holder { name: &template[at + 1..end], quoted });
                    (start, at, escaped) = (end + 1, end + 1, false);
                    continue;
                }
            }
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        at += character.len_utf8();
    }
    pieces.push(Piece::Text(&template[start..]));
    pieces
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character))
}
