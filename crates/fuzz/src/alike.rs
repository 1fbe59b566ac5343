//! Whether two JSON values are the same. Decimal fractions may differ in their last place: serde_json
//! reads them to within one, and no message depends on it.

use serde_json::Value;

pub fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| alike(value, other)))
        }
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            (one - other).abs() <= one.abs().max(other.abs()) * 4.0 * f64::EPSILON + f64::MIN_POSITIVE
        }
        (one, other) => one == other,
    }
}

/// The same of texts, which must be JSON.
pub fn texts_alike(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("what we wrote is JSON");
    one == other || alike(&read(one), &read(other))
}
