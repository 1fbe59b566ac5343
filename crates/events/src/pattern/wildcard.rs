//! Texts with `*` for any run of characters; `\*` and `\\` are the characters themselves.

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wildcard {
    /// What stands between the wildcards: at least one.
    parts: Vec<String>,
}

impl Wildcard {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = vec![String::new()];
        let mut characters = text.chars().enumerate().peekable();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, next @ ('*' | '\\'))) => push(&mut parts, next),
                    _ => return Err(format!("Invalid escape character at pos {at}")),
                },
                '*' => {
                    if matches!(characters.peek(), Some((_, '*'))) {
                        return Err(format!("Consecutive wildcard characters at pos {at}"));
                    }
                    parts.push(String::new());
                }
                other => push(&mut parts, other),
            }
        }
        Ok(Self { parts })
    }

    /// The first and last part are tied to the ends; each one between is taken where it first comes.
    pub(super) fn takes(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else { return text == self.parts[0] };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

fn push(parts: &mut [String], character: char) {
    if let Some(last) = parts.last_mut() {
        last.push(character);
    }
}
