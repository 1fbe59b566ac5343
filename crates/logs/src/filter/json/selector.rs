//! `$.a.b[0]`, `$.*`, `$.a[*]`, `$.['a.b']`: which values of a document are meant.

use serde_json::Value;

use crate::filter::BadPattern;
use crate::filter::reader::Reader;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selector {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Element(usize),
    AnyField,
    AnyElement,
}

impl Selector {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Selector, BadPattern> {
        if !reader.eat("$") {
            return Err(reader.expected("a selector ($.field)"));
        }
        let mut steps = Vec::new();
        loop {
            if reader.eat(".") {
                steps.push(if reader.eat("*") {
                    Step::AnyField
                } else if reader.eat("[") {
                    bracketed(reader)?
                } else {
                    field(reader)?
                });
            } else if reader.eat("[") {
                steps.push(bracketed(reader)?);
            } else {
                break;
            }
        }
        let selector = Selector { steps };
        let wildcards = selector.steps.iter().filter(|step| step.is_wildcard()).count();
        match (selector.steps.is_empty(), wildcards) {
            (true, _) => Err(reader.expected("a field of $")),
            (false, 0 | 1) => Ok(selector),
            (false, _) => Err(BadPattern::TooManyWildcards),
        }
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.steps.iter().any(Step::is_wildcard)
    }

    /// Whether one of the selected values is as `wanted` says. None are selected where there is no
    /// such field.
    pub(super) fn any(&self, document: &Value, wanted: &impl Fn(&Value) -> bool) -> bool {
        any(&self.steps, document, wanted)
    }
}

impl Step {
    fn is_wildcard(&self) -> bool {
        matches!(self, Step::AnyField | Step::AnyElement)
    }
}

fn any(steps: &[Step], value: &Value, wanted: &impl Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return wanted(value) };
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => {
            fields.get(name).is_some_and(|value| any(rest, value, wanted))
        }
        (Step::Element(index), Value::Array(list)) => {
            list.get(*index).is_some_and(|value| any(rest, value, wanted))
        }
        (Step::AnyField, Value::Object(fields)) => fields.values().any(|value| any(rest, value, wanted)),
        (Step::AnyElement, Value::Array(list)) => list.iter().any(|value| any(rest, value, wanted)),
        _ => false,
    }
}

fn field(reader: &mut Reader<'_>) -> Result<Step, BadPattern> {
    let name = reader.take_while(|c| c.is_alphanumeric() || "_-".contains(c));
    match reader.peek() {
        _ if !name.is_empty() => Ok(Step::Field(name.to_owned())),
        Some(other) if !other.is_whitespace() => Err(BadPattern::Character { term: format!("$.{other}") }),
        _ => Err(reader.expected("a field's name")),
    }
}

/// After the opening bracket: an index, a wildcard, or a name in single quotation marks.
fn bracketed(reader: &mut Reader<'_>) -> Result<Step, BadPattern> {
    let step = if reader.eat("*") {
        Step::AnyElement
    } else if reader.eat("'") {
        let name = reader.take_while(|c| c != '\'').to_owned();
        if !reader.eat("'") {
            return Err(BadPattern::OpenQuote);
        }
        Step::Field(name)
    } else {
        let digits = reader.take_while(|c| c.is_ascii_digit());
        Step::Element(digits.parse().map_err(|_| reader.expected("an element's number"))?)
    };
    if reader.eat("]") { Ok(step) } else { Err(reader.expected("]")) }
}
