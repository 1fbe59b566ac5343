//! `Condition`: operators over what a request tells (IAM user guide, "Condition operators").
//!
//! All conditions of a statement must hold; of a key's values one must fit, or, where the operator is a
//! negation, none.

mod operator;
mod value;

use serde_json::Value;

use crate::{
    evaluate::Keys,
    parse::{InvalidPolicy, invalid},
};
use operator::Operator;
use value::Expected;

/// One operator over one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    operator: Operator,
    /// In small letters.
    key: String,
    expected: Vec<Expected>,
}

impl Condition {
    pub fn parse(value: &Value, has_variables: bool) -> Result<Vec<Condition>, InvalidPolicy> {
        let operators = value.as_object().ok_or_else(|| invalid("Condition is a JSON object"))?;
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let operator =
                Operator::parse(name).ok_or_else(|| invalid(format!("Invalid Condition type : {name}")))?;
            let keys = keys.as_object().ok_or_else(|| invalid(format!("{name} is a JSON object")))?;
            for (key, values) in keys {
                if !key.contains(':') {
                    return Err(invalid(format!("{key:?} is no condition key, such as \"aws:SourceIp\"")));
                }
                let list = match values {
                    Value::Array(list) if list.is_empty() => {
                        return Err(invalid(format!("The condition of {key} has no value")));
                    }
                    Value::Array(list) => list.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let read = |value: &Value| {
                    let no = || invalid(format!("{value} is no value for {name}"));
                    Expected::parse(operator.test, &text(value).ok_or_else(no)?, has_variables).ok_or_else(no)
                };
                let expected = list.iter().map(read).collect::<Result<_, _>>()?;
                conditions.push(Condition { operator, key: key.to_ascii_lowercase(), expected });
            }
        }
        Ok(conditions)
    }

    pub fn holds(&self, keys: &Keys) -> bool {
        let fits = |actual: &String| self.expected.iter().any(|expected| expected.fits(actual, keys));
        self.operator.holds(keys.get(&self.key), fits)
    }
}

/// Numbers and truths may be written with or without quotes.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}
