//! Filter patterns over unstructured events, as the CloudWatch Logs user guide ("filter pattern
//! syntax", matching terms in unstructured log events) describes them. Pure.
//!
//! - `a b`: both terms occur. `"a b"`: the phrase occurs. Terms are case-sensitive substrings.
//! - `?a ?b`: one of the terms occurs. Beside other terms, `?` terms count for nothing.
//! - `-a`: the term doesn't occur.
//! - `%regex%`: the expression matches; letters, digits and the guide's symbols only.
//!
//! Patterns over JSON (`{…}`) and over columns (`[…]`) are refused.

use regex::Regex;

/// What an event's message must be like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    required: Vec<Term>,
    /// Of these one must occur, if there are any; empty when there are other terms.
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPattern {
    #[error("Invalid filter pattern: Longshore does not implement patterns over JSON fields or columns yet")]
    Structured,
    #[error("Invalid filter pattern: a quotation mark is not closed")]
    OpenQuote,
    #[error("Invalid filter pattern: a regular expression is not closed by %")]
    OpenRegex,
    #[error("Invalid filter pattern: {character:?} can't stand in a regular expression")]
    RegexCharacter { character: char },
    #[error("Invalid filter pattern: the regular expression {text:?} is not valid")]
    Regex { text: String },
    #[error("Invalid filter pattern: a term is empty")]
    EmptyTerm,
}

impl From<BadPattern> for wire::Error {
    fn from(error: BadPattern) -> wire::Error {
        wire::Error::invalid_parameter(error.to_string())
    }
}

impl Pattern {
    /// An empty pattern matches everything.
    pub(crate) fn parse(text: &str) -> Result<Pattern, BadPattern> {
        let mut rest = text.trim();
        if rest.starts_with(['{', '[']) {
            return Err(BadPattern::Structured);
        }
        let mut pattern = Pattern::default();
        while !rest.is_empty() {
            let (list, after) = match rest.chars().next() {
                Some('?') => (&mut pattern.optional, &rest[1..]),
                Some('-') => (&mut pattern.excluded, &rest[1..]),
                _ => (&mut pattern.required, rest),
            };
            let (term, after) = term(after)?;
            list.push(term);
            rest = after.trim_start();
        }
        if !pattern.required.is_empty() || !pattern.excluded.is_empty() {
            pattern.optional.clear();
        }
        Ok(pattern)
    }

    pub(crate) fn matches(&self, message: &str) -> bool {
        let occurs = |term: &Term| term.occurs(message);
        self.required.iter().all(occurs)
            && !self.excluded.iter().any(occurs)
            && (self.optional.is_empty() || self.optional.iter().any(occurs))
    }
}

impl Term {
    fn occurs(&self, message: &str) -> bool {
        match self {
            Term::Text(text) => message.contains(text),
            Term::Regex(regex) => regex.is_match(message),
        }
    }
}

/// One term from the start of `text`, and what follows it.
fn term(text: &str) -> Result<(Term, &str), BadPattern> {
    if let Some(quoted) = text.strip_prefix('"') {
        return phrase(quoted);
    }
    if let Some(regex) = text.strip_prefix('%') {
        let (regex, rest) = regex.split_once('%').ok_or(BadPattern::OpenRegex)?;
        return Ok((expression(regex)?, rest));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() {
        return Err(BadPattern::EmptyTerm);
    }
    Ok((Term::Text(word.to_owned()), rest))
}

/// A quoted phrase without its opening mark; `\"` and `\\` stand for the mark and the backslash.
fn phrase(text: &str) -> Result<(Term, &str), BadPattern> {
    let mut phrase = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' if phrase.is_empty() => return Err(BadPattern::EmptyTerm),
            '"' => return Ok((Term::Text(phrase), &text[at + 1..])),
            '\\' => match characters.clone().next() {
                Some((_, escaped @ ('"' | '\\'))) => {
                    characters.next();
                    phrase.push(escaped);
                }
                _ => phrase.push('\\'),
            },
            other => phrase.push(other),
        }
    }
    Err(BadPattern::OpenQuote)
}

fn expression(text: &str) -> Result<Term, BadPattern> {
    const SYMBOLS: &str = ":_#=@/;,-^$?[]{}|\\*+. ";
    let foreign = |character: &char| !character.is_ascii_alphanumeric() && !SYMBOLS.contains(*character);
    if let Some(character) = text.chars().find(foreign) {
        return Err(BadPattern::RegexCharacter { character });
    }
    if text.is_empty() {
        return Err(BadPattern::EmptyTerm);
    }
    let invalid = |_| BadPattern::Regex { text: text.to_owned() };
    // The crate's engine takes time linear in the message whatever the expression; the limit is on
    // the memory of the compiled form, which `{n,m}` can blow up.
    let regex = regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(invalid)?;
    Ok(Term::Regex(regex))
}

#[cfg(test)]
mod tests;
