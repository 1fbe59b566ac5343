//! Event patterns: which events a rule is about (EventBridge user guide, "Creating event patterns" and "Comparison
//! operators"). Pure.
//!
//! Every field that a pattern names must match, by any one of its values. A field that holds a list matches if an
//! element does; below a list of objects, all that a pattern asks must hold of one and the same object.

mod leaf;
mod parse;
mod wildcard;

#[cfg(test)]
mod tests;

use serde_json::Value;

use leaf::Leaf;
pub use parse::BadPattern;

/// A pattern that was read: any one of the ways through its `$or`s.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    ways: Vec<Fields>,
}

/// What is asked of one object: all of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields(Vec<(String, Test)>);

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Object(Fields),
    /// Any one of them.
    Leaves(Vec<Leaf>),
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        Ok(Self { ways: parse::pattern(text)? })
    }

    pub fn matches(&self, event: &Value) -> bool {
        self.ways.iter().any(|fields| fields.matches(event, &mut Place { event, path: Vec::new() }))
    }

    /// Whether an event of that source and detail type may match, whatever else it holds.
    pub fn may_match(&self, source: &str, detail_type: &str) -> bool {
        self.ways.iter().any(|fields| fields.may_match(source, detail_type))
    }
}

/// Where in the event a test is.
struct Place<'v, 'p> {
    event: &'v Value,
    path: Vec<&'p str>,
}

/// In place of an object that isn't there: only what asks for absence holds of it.
static NOTHING: Value = Value::Null;

impl Fields {
    fn matches<'p>(&'p self, object: &Value, place: &mut Place<'_, 'p>) -> bool {
        self.0.iter().all(|(name, test)| {
            place.path.push(name);
            let holds = test.holds(object.get(name), place);
            place.path.pop();
            holds
        })
    }

    fn may_match(&self, source: &str, detail_type: &str) -> bool {
        self.0.iter().all(|(name, test)| {
            let known = match name.as_str() {
                "source" => source,
                "detail-type" => detail_type,
                _ => return true,
            };
            match test {
                Test::Object(_) => true,
                Test::Leaves(leaves) => leaves.iter().any(|leaf| leaf.takes(&Value::from(known))),
            }
        })
    }

    /// Asks all that the other asks as well, of the same objects.
    fn and(mut self, other: &Self) -> Self {
        for (name, test) in &other.0 {
            let known =
                self.0.iter_mut().find(|(known, test)| known == name && matches!(test, Test::Object(_)));
            match (known, test) {
                (Some((_, Test::Object(known))), Test::Object(more)) => {
                    *known = std::mem::take(known).and(more)
                }
                _ => self.0.push((name.clone(), test.clone())),
            }
        }
        self
    }
}

impl Test {
    fn holds<'p>(&'p self, value: Option<&Value>, place: &mut Place<'_, 'p>) -> bool {
        match self {
            Self::Object(fields) => {
                let mut objects = Vec::new();
                value.into_iter().for_each(|value| gather_objects(value, &mut objects));
                match objects.is_empty() {
                    true => fields.matches(&NOTHING, place),
                    false => objects.into_iter().any(|object| fields.matches(object, place)),
                }
            }
            Self::Leaves(leaves) => leaves.iter().any(|leaf| match leaf {
                // Of the whole event: another element of a list may have it.
                Leaf::Exists(false) => !has_leaf(place.event, &place.path),
                leaf => value.is_some_and(|value| any_leaf(value, &|value| leaf.takes(value))),
            }),
        }
    }
}

fn gather_objects<'v>(value: &'v Value, objects: &mut Vec<&'v Value>) {
    match value {
        Value::Object(_) => objects.push(value),
        Value::Array(items) => items.iter().for_each(|item| gather_objects(item, objects)),
        _ => {}
    }
}

/// Of a value that is neither a list nor an object, or of one in lists.
fn any_leaf(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(|item| any_leaf(item, test)),
        leaf => test(leaf),
    }
}

fn has_leaf(value: &Value, path: &[&str]) -> bool {
    match (value, path) {
        (value, []) => any_leaf(value, &|_| true),
        (Value::Array(items), path) => items.iter().any(|item| has_leaf(item, path)),
        (Value::Object(object), [name, rest @ ..]) => {
            object.get(*name).is_some_and(|value| has_leaf(value, rest))
        }
        _ => false,
    }
}
