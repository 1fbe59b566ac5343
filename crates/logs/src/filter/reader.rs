//! Reading a pattern from left to right.

use super::BadPattern;
use super::expression::Expression;

/// The user guide's quota for a pattern over JSON or columns.
pub(super) const MAX_REGEXES: usize = 2;

/// How much of the rest an error shows.
const SHOWN: usize = 20;

#[derive(Debug)]
pub(super) struct Reader<'p> {
    rest: &'p str,
    regexes: usize,
}

impl<'p> Reader<'p> {
    pub(super) fn new(text: &'p str) -> Reader<'p> {
        Reader { rest: text, regexes: 0 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// Takes `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes the word if it comes next, whatever its case.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let mut ahead = Reader::new(self.rest);
        let found = ahead.take_while(|c| c.is_alphanumeric()).eq_ignore_ascii_case(word);
        if found {
            self.rest = ahead.rest;
        }
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub(super) fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// A quoted phrase; `\"` and `\\` stand for the mark and the backslash.
    pub(super) fn quoted(&mut self) -> Result<String, BadPattern> {
        let mut phrase = String::new();
        self.next();
        loop {
            match self.next().ok_or(BadPattern::OpenQuote)? {
                '"' => return Ok(phrase),
                '\\' => match self.peek() {
                    Some(escaped @ ('"' | '\\')) => {
                        self.next();
                        phrase.push(escaped);
                    }
                    _ => phrase.push('\\'),
                },
                other => phrase.push(other),
            }
        }
    }

    /// A regular expression between `%`, one of the few that a pattern may have.
    pub(super) fn regex(&mut self) -> Result<Expression, BadPattern> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return Err(BadPattern::TooManyRegexes);
        }
        self.unlimited_regex()
    }

    pub(super) fn unlimited_regex(&mut self) -> Result<Expression, BadPattern> {
        self.next();
        let (regex, rest) = self.rest.split_once('%').ok_or(BadPattern::OpenRegex)?;
        self.rest = rest;
        Expression::new(regex)
    }

    pub(super) fn expected(&self, expected: &'static str) -> BadPattern {
        BadPattern::Syntax { expected, found: self.rest.chars().take(SHOWN).collect() }
    }
}
