//! Text with `*` (any run of characters), `?` (one character) and, in policies of version 2012-10-17,
//! variables such as `${aws:username}` (IAM user guide, "Policy elements: variables and tags").

use crate::evaluate::Keys;

/// A pattern as it was written. What its variables stand for is known only with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Token(Token),
    Variable { key: String, default: Option<String> },
}

/// One step of a pattern without variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Any,
    One,
    Is(char),
}

impl Pattern {
    /// `None`: a variable isn't closed or has no name.
    pub fn parse(text: &str, has_variables: bool) -> Option<Pattern> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if has_variables && let Some(after) = rest.strip_prefix("${") {
                let (inside, after) = after.split_once('}')?;
                parts.push(variable(inside)?);
                rest = after;
                continue;
            }
            parts.push(Part::Token(match c {
                '*' => Token::Any,
                '?' => Token::One,
                c => Token::Is(c),
            }));
            rest = &rest[c.len_utf8()..];
        }
        Some(Pattern { parts })
    }

    /// Without its variables; `None` where the request has no value for one, and nothing can match.
    pub fn resolve(&self, keys: &Keys) -> Option<Vec<Token>> {
        let mut tokens = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                Part::Variable { key, default } => {
                    let value = keys.single(key).or(default.as_deref())?;
                    tokens.extend(value.chars().map(Token::Is));
                }
            }
        }
        Some(tokens)
    }

    pub fn matches(&self, text: &str, keys: &Keys) -> bool {
        self.resolve(keys).is_some_and(|tokens| matches(&tokens, text))
    }

    /// The same as plain text, for operators that know no wildcards.
    pub fn literal(&self, keys: &Keys) -> Option<String> {
        let of = |token: &Token| match token {
            Token::Any => '*',
            Token::One => '?',
            Token::Is(c) => *c,
        };
        self.resolve(keys).map(|tokens| tokens.iter().map(of).collect())
    }
}

fn variable(inside: &str) -> Option<Part> {
    // The escapes of the characters that mean something.
    if let "*" | "?" | "$" = inside {
        return inside.chars().next().map(|c| Part::Token(Token::Is(c)));
    }
    let (key, default) = match inside.split_once(',') {
        Some((key, rest)) => {
            let quoted = rest.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            (key.trim(), Some(quoted?.to_owned()))
        }
        None => (inside.trim(), None),
    };
    (!key.is_empty()).then(|| Part::Variable { key: key.to_ascii_lowercase(), default })
}

/// Whether a pattern fits the whole text. In time of their lengths' product at most: who writes a policy may
/// write many asterisks.
pub(crate) fn matches(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much of the text it has taken.
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Token::Any) => {
                back = Some((p, t));
                p += 1;
            }
            Some(Token::One) => (p, t) = (p + 1, t + 1),
            Some(Token::Is(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    (p, t) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|token| *token == Token::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        let mut keys = Keys::default();
        keys.put("aws:username", "ci*");
        Pattern::parse(pattern, true).unwrap().matches(text, &keys)
    }

    #[test]
    fn wildcards_and_variables() {
        for (pattern, text, yes) in [
            ("", "", true),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("*:repository/team/*", "arn:repository/team/app", true),
            ("${aws:UserName}/*", "ci*/x", true),
            ("${aws:UserName}/*", "cim/x", false),
            ("${aws:none}", "", false),
            ("${aws:none, 'x'}", "x", true),
            ("${*}", "*", true),
            ("${*}", "a", false),
            ("${$}{a}", "${a}", true),
        ] {
            assert_eq!(fits(pattern, text), yes, "{pattern} {text}");
        }
        assert_eq!(Pattern::parse("${a", true), None);
        assert_eq!(Pattern::parse("${}", true), None);
        assert!(Pattern::parse("${a", false).unwrap().matches("${a", &Keys::default()));
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_any_asterisk(text in "[a-z:/]{0,20}", at: prop::sample::Index) {
            let at = at.index(text.len() + 1);
            let keys = Keys::default();
            prop_assert!(Pattern::parse(&text, true).unwrap().matches(&text, &keys));
            let cut = format!("{}*", &text[..at]);
            prop_assert!(Pattern::parse(&cut, true).unwrap().matches(&text, &keys));
        }

        #[test]
        fn no_text_panics(pattern: String, text: String) {
            if let Some(pattern) = Pattern::parse(&pattern, true) {
                let _ = pattern.matches(&text, &Keys::default());
            }
        }
    }
}
