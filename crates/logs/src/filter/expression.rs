//! Regular expressions as filter patterns have them: a small language, whose meaning is ASCII's.

use regex::{Regex, RegexBuilder};

use super::BadPattern;

/// What the guide lists beside letters and digits: symbols and operators. Groups are not among them.
const SYMBOLS: &str = ":_#=@/;,-^$?[]{}|\\*+. ";

#[derive(Clone, Debug)]
pub(crate) struct Expression(Regex);

impl Expression {
    pub(super) fn new(text: &str) -> Result<Expression, BadPattern> {
        let foreign = |c: &char| !c.is_ascii_alphanumeric() && !SYMBOLS.contains(*c);
        if let Some(character) = text.chars().find(foreign) {
            return Err(BadPattern::Character { term: character.to_string() });
        }
        let invalid = || BadPattern::Regex { text: text.to_owned() };
        let translated = translate(text).filter(|translated| !translated.is_empty()).ok_or_else(invalid)?;
        // The engine takes time linear in the message whatever the expression; the limit is on the
        // memory of the compiled form, which `{n,m}` can blow up.
        let regex = RegexBuilder::new(&translated).size_limit(1 << 20).build().map_err(|_| invalid())?;
        Ok(Expression(regex))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// The same in the `regex` crate's syntax: classes are ASCII's, `{,n}` has its 0, nothing that only
/// that crate knows comes through (`\b`, `\pL`, operations on sets).
fn translate(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.push_str(&escaped(&mut characters)?),
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // First in a class, the bracket stands for itself.
                if characters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '-' if in_class && characters.peek() == Some(&'-') => out.push_str("\\-"),
            '{' if !in_class => {
                let inside: String = std::iter::from_fn(|| characters.next_if(|c| *c != '}')).collect();
                characters.next()?;
                out.push_str(&repetition(&inside)?);
            }
            other => out.push(other),
        }
    }
    (!in_class).then_some(out)
}

fn escaped(characters: &mut impl Iterator<Item = char>) -> Option<String> {
    let character = characters.next()?;
    Some(match character {
        'd' => "[0-9]".to_owned(),
        'D' => "[^0-9]".to_owned(),
        's' => "[ \\t\\n\\r\\x0B\\x0C]".to_owned(),
        'S' => "[^ \\t\\n\\r\\x0B\\x0C]".to_owned(),
        'w' => "[a-zA-Z_0-9]".to_owned(),
        'W' => "[^a-zA-Z_0-9]".to_owned(),
        't' | 'n' => format!("\\{character}"),
        'x' => {
            let digits: String = characters.take(2).collect();
            let code = u8::from_str_radix(&digits, 16).ok().filter(|code| code.is_ascii())?;
            (digits.len() == 2).then(|| format!("\\x{code:02X}"))?
        }
        other if other.is_ascii_alphanumeric() => return None,
        ' ' | '_' | '/' | ',' | ';' | '=' | '@' | ':' => character.to_string(),
        other => format!("\\{other}"),
    })
}

fn repetition(inside: &str) -> Option<String> {
    let inside = inside.replace(' ', "");
    let bound = |text: &str| text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        None if !inside.is_empty() && bound(&inside) => Some(format!("{{{inside}}}")),
        Some((min, max)) if bound(min) && bound(max) && (min.len() + max.len()) > 0 => {
            let min = if min.is_empty() { "0" } else { min };
            Some(format!("{{{min},{max}}}"))
        }
        _ => None,
    }
}
