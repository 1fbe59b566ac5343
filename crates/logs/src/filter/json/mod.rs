//! `{ $.selector = value && … }`: conditions on the fields of a message that is JSON.

mod selector;

use serde_json::Value;

use super::BadPattern;
use super::comparison::{Comparison, Operator, Scalar};
use super::condition::Condition;
use super::reader::Reader;
use selector::Selector;

/// The user guide's quota of wildcards in all selectors of a pattern; one selector may have one.
const MAX_WILDCARDS: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct Json {
    condition: Condition<Test>,
}

#[derive(Clone, Debug)]
struct Test {
    selector: Selector,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Compare(Comparison),
    Is(Value),
    NotExists,
}

impl Json {
    /// `inner` is what stands between the braces.
    pub(super) fn parse(inner: &str) -> Result<Json, BadPattern> {
        let mut reader = Reader::new(inner);
        let mut wildcards = 0;
        let condition = Condition::read(&mut reader, &mut |reader| {
            let test = Test::read(reader)?;
            wildcards += usize::from(test.selector.has_wildcard());
            if wildcards > MAX_WILDCARDS {
                return Err(BadPattern::TooManyWildcards);
            }
            Ok(test)
        })?;
        reader.skip_blanks();
        match reader.peek() {
            None => Ok(Json { condition }),
            Some(_) => Err(reader.expected("&&, || or the end")),
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let start = message.trim_start();
        // Most messages are no JSON: that is seen at once.
        if !start.starts_with(['{', '[']) {
            return false;
        }
        match serde_json::from_str::<Value>(start) {
            Ok(document) => self.condition.holds(&|test: &Test| test.holds(&document)),
            Err(_) => false,
        }
    }
}

impl Test {
    fn read(reader: &mut Reader<'_>) -> Result<Test, BadPattern> {
        let selector = Selector::read(reader)?;
        reader.skip_blanks();
        if let Some(operator) = Operator::read(reader) {
            let comparison = Comparison::read(reader, operator)?;
            return Ok(Test { selector, kind: Kind::Compare(comparison) });
        }
        let kind = if reader.eat_word("IS") {
            reader.skip_blanks();
            let values = [("NULL", Value::Null), ("TRUE", true.into()), ("FALSE", false.into())];
            let found = values.into_iter().find(|(word, _)| reader.eat_word(word));
            Kind::Is(found.map(|(_, value)| value).ok_or_else(|| reader.expected("NULL, TRUE or FALSE"))?)
        } else if reader.eat_word("NOT") {
            reader.skip_blanks();
            if !reader.eat_word("EXISTS") {
                return Err(reader.expected("EXISTS"));
            }
            Kind::NotExists
        } else {
            return Err(reader.expected("an operator"));
        };
        Ok(Test { selector, kind })
    }

    /// With a wildcard, one of the selected values is enough.
    fn holds(&self, document: &Value) -> bool {
        match &self.kind {
            Kind::Compare(comparison) => self.selector.any(document, &|value| match value {
                Value::String(text) => comparison.holds(Scalar { text, number: None }),
                Value::Number(number) => {
                    comparison.holds(Scalar { text: &number.to_string(), number: number.as_f64() })
                }
                Value::Bool(is) => {
                    comparison.holds(Scalar { text: if *is { "true" } else { "false" }, number: None })
                }
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            }),
            Kind::Is(wanted) => self.selector.any(document, &|value| value == wanted),
            Kind::NotExists => !self.selector.any(document, &|_| true),
        }
    }
}
