//! Terms in unstructured events.
//!
//! - `a b`: both terms occur, anywhere and in any order. Terms are case-sensitive substrings.
//! - `"a b"`: the phrase occurs. What isn't letters, digits and `_` only must be quoted; a phrase of
//!   nothing but blanks is in every event.
//! - `?a ?b`: one of the terms occurs. Beside other terms, `?` terms count for nothing.
//! - `-a`: the term doesn't occur.
//! - `%regex%`: the expression matches.

use super::BadPattern;
use super::expression::Expression;
use super::reader::Reader;

#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    required: Vec<Term>,
    /// Of these one must occur, if there are any; empty when there are other terms.
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Expression),
}

impl Terms {
    pub(super) fn parse(text: &str) -> Result<Terms, BadPattern> {
        let mut terms = Terms::default();
        let mut reader = Reader::new(text);
        reader.skip_blanks();
        while let Some(first) = reader.peek() {
            let list = match first {
                '?' => &mut terms.optional,
                '-' => &mut terms.excluded,
                _ => &mut terms.required,
            };
            if matches!(first, '?' | '-') {
                reader.next();
            }
            list.push(term(&mut reader, first)?);
            reader.skip_blanks();
        }
        if !terms.required.is_empty() || !terms.excluded.is_empty() {
            terms.optional.clear();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
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
            Term::Regex(regex) => regex.matches(message),
        }
    }
}

/// `first`: the character that the term begins with, its mark included.
fn term(reader: &mut Reader<'_>, first: char) -> Result<Term, BadPattern> {
    match reader.peek() {
        Some('"') => {
            let phrase = reader.quoted()?;
            if phrase.is_empty() {
                return Err(BadPattern::Character { term: "\"\"".to_owned() });
            }
            let blank = phrase.chars().all(char::is_whitespace);
            Ok(Term::Text(if blank { String::new() } else { phrase }))
        }
        // Any number of expressions here: the guide's limit is on the two other languages.
        Some('%') => reader.unlimited_regex().map(Term::Regex),
        _ => {
            let word = reader.take_while(|c| c.is_alphanumeric() || c == '_');
            match reader.peek() {
                Some(other) if !other.is_whitespace() => {
                    Err(BadPattern::Character { term: other.to_string() })
                }
                _ if word.is_empty() => Err(BadPattern::Character { term: first.to_string() }),
                _ => Ok(Term::Text(word.to_owned())),
            }
        }
    }
}
