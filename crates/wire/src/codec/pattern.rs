//! The models' regular expressions, which are written for Java.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use regex::Regex;

/// Compiled on first use; `None` where Rust has no such expression (a test lists none).
static COMPILED: RwLock<BTreeMap<&'static str, Option<Regex>>> = RwLock::new(BTreeMap::new());

/// Whether the whole of `text` matches.
pub fn matches(pattern: &'static str, text: &str) -> bool {
    let read = |map: &BTreeMap<&'static str, Option<Regex>>| {
        map.get(pattern).map(|regex| regex.as_ref().is_none_or(|regex| regex.is_match(text)))
    };
    if let Some(answer) = read(&COMPILED.read().unwrap_or_else(PoisonError::into_inner)) {
        return answer;
    }
    let regex = compile(pattern).ok();
    let answer = regex.as_ref().is_none_or(|regex| regex.is_match(text));
    COMPILED.write().unwrap_or_else(PoisonError::into_inner).insert(pattern, regex);
    answer
}

/// The models' one look-ahead, which Rust's expressions don't have: anything that isn't all white space.
const NOT_BLANK: &str = r"^(?!\s*$).+";

pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = if pattern == NOT_BLANK { r".*\S.*" } else { pattern };
    Regex::new(&format!(r"\A(?:{})\z", translate(pattern)))
}

/// Two differences matter. Java's `\w` and `\d` are ASCII (`\p{…}` is not), and within a class a
/// hyphen after a range or an escape is a hyphen (`[\w-_]`, `[0-9-_]`).
fn translate(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    // Within a class: the last item can't begin a range.
    let mut closed = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let Some(escaped) = chars.next() else { break };
                let ascii = match escaped {
                    'w' => Some("A-Za-z0-9_"),
                    'd' => Some("0-9"),
                    _ => None,
                };
                match ascii {
                    Some(set) if in_class => out.push_str(set),
                    Some(set) => out.push_str(&format!("[{set}]")),
                    None => out.extend(['\\', escaped]),
                }
                closed = ascii.is_some();
            }
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                closed = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '-' if in_class && (closed || chars.peek() == Some(&']')) => {
                out.push_str(r"\-");
                closed = true;
            }
            '-' if in_class => {
                out.push('-');
                if let Some(end) = chars.next() {
                    out.push(end);
                    if end == '\\' {
                        out.push_str(&end_of_escape(&mut chars));
                    }
                }
                closed = true;
            }
            other => {
                // Set operators of Rust's classes, which Java's patterns here don't mean.
                if in_class && matches!(other, '&' | '~') {
                    out.push('\\');
                }
                out.push(other);
                closed = false;
            }
        }
    }
    out
}

/// What follows the backslash of a range's end: one character, or `u` and four digits.
fn end_of_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let Some(first) = chars.next() else { return String::new() };
    let mut escape = String::from(first);
    if first == 'u' {
        escape.extend(chars.by_ref().take(4));
    }
    escape
}
