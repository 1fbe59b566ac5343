//! What a field is compared with.

use super::BadPattern;
use super::expression::Expression;
use super::reader::Reader;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Longer ones first, so that `<=` isn't read as `<`.
    const ALL: [(&'static str, Operator); 6] = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Operator> {
        Operator::ALL.into_iter().find(|(text, _)| reader.eat(text)).map(|(_, operator)| operator)
    }

    fn text(self) -> &'static str {
        Operator::ALL.into_iter().find(|(_, operator)| *operator == self).map_or("", |(text, _)| text)
    }

    fn holds(self, field: f64, with: f64) -> bool {
        match self {
            Operator::Equal => field == with,
            Operator::NotEqual => field != with,
            Operator::Less => field < with,
            Operator::LessOrEqual => field <= with,
            Operator::Greater => field > with,
            Operator::GreaterOrEqual => field >= with,
        }
    }
}

/// `OPERATOR VALUE`.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    operator: Operator,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// An unquoted number; the text is as it was written.
    Number(f64, String),
    Text(Wildcard),
    Regex(Expression),
}

/// A scalar to be compared: its text, and its number where it is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar<'a> {
    pub(super) text: &'a str,
    pub(super) number: Option<f64>,
}

impl Comparison {
    /// What follows an operator.
    pub(super) fn read(reader: &mut Reader<'_>, operator: Operator) -> Result<Comparison, BadPattern> {
        reader.skip_blanks();
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let value = match reader.peek() {
            Some('"') => Value::Text(Wildcard::new(&reader.quoted()?)),
            Some('%') => Value::Regex(reader.regex()?),
            _ => bare(reader)?,
        };
        match value {
            Value::Number(..) => Ok(Comparison { operator, value }),
            _ if equality => Ok(Comparison { operator, value }),
            Value::Text(text) => {
                Err(BadPattern::NotANumber { operator: operator.text(), found: text.written })
            }
            Value::Regex(_) => {
                Err(BadPattern::NotANumber { operator: operator.text(), found: "%".to_owned() })
            }
        }
    }

    pub(super) fn holds(&self, field: Scalar<'_>) -> bool {
        let equal = match &self.value {
            Value::Number(number, written) => match field.number {
                Some(field) => return self.operator.holds(field, *number),
                None => field.text == written,
            },
            Value::Text(text) => text.matches(field.text),
            Value::Regex(regex) => regex.matches(field.text),
        };
        match self.operator {
            Operator::Equal => equal,
            Operator::NotEqual => !equal,
            _ => false,
        }
    }
}

/// A value without quotation marks: a number, or text of letters, digits and a few marks.
fn bare(reader: &mut Reader<'_>) -> Result<Value, BadPattern> {
    let word = reader.take_while(|c| c.is_alphanumeric() || "_.*+-".contains(c));
    match reader.peek() {
        Some(other) if !other.is_whitespace() && !"&|(),".contains(other) => {
            return Err(BadPattern::Character { term: other.to_string() });
        }
        _ if word.is_empty() => return Err(reader.expected("a value")),
        _ => {}
    }
    Ok(match number(word) {
        Some(number) => Value::Number(number, word.to_owned()),
        None => Value::Text(Wildcard::new(word)),
    })
}

/// Digits with a sign, a fraction or an exponent; not what Rust also takes for a number (`inf`).
pub(super) fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| digits && number.is_finite())
}

/// Text with `*` at its beginning, its end or both, where any text may stand (user guide; an asterisk
/// in the middle is an asterisk).
#[derive(Clone, Debug)]
struct Wildcard {
    written: String,
}

impl Wildcard {
    fn new(text: &str) -> Wildcard {
        Wildcard { written: text.to_owned() }
    }

    fn matches(&self, text: &str) -> bool {
        let written = self.written.as_str();
        let (inner, open_start) = match written.strip_prefix('*') {
            Some(inner) => (inner, true),
            None => (written, false),
        };
        match (open_start, inner.strip_suffix('*')) {
            (true, Some(inner)) => text.contains(inner),
            (false, Some(inner)) => text.starts_with(inner),
            (true, None) => text.ends_with(inner),
            (false, None) => text == inner,
        }
    }
}
