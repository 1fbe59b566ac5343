//! What may be asked of one value.

use std::net::IpAddr;

use serde_json::{Number, Value};

use super::wildcard::Wildcard;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leaf {
    Equals(Value),
    Text(Text),
    /// None of them; a value that is no text is none of texts.
    AnythingBut(Vec<Value>),
    NotText(Vec<Text>),
    Numeric(Range),
    Cidr(Network),
    Exists(bool),
}

/// A test of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Prefix(String),
    Suffix(String),
    /// These three in small letters.
    IgnoreCase(String),
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
}

/// Numbers between two bounds, each with whether it belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub low: Option<(f64, bool)>,
    pub high: Option<(f64, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Network {
    pub address: IpAddr,
    pub prefix: u32,
}

impl Leaf {
    /// Of a value that is there, and is neither a list nor an object.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => equal(wanted, value),
            Self::Text(test) => value.as_str().is_some_and(|text| test.takes(text)),
            Self::AnythingBut(unwanted) => !unwanted.iter().any(|one| equal(one, value)),
            Self::NotText(tests) => {
                !value.as_str().is_some_and(|text| tests.iter().any(|test| test.takes(text)))
            }
            Self::Numeric(range) => value.as_f64().is_some_and(|number| range.holds(number)),
            Self::Cidr(network) => {
                value.as_str().and_then(|text| text.parse().ok()).is_some_and(|ip| network.holds(ip))
            }
            Self::Exists(exists) => *exists,
        }
    }
}

/// `5` and `5.0` are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => equal_numbers(one, other),
        _ => one == other,
    }
}

fn equal_numbers(one: &Number, other: &Number) -> bool {
    one == other || (one.is_f64() != other.is_f64() && one.as_f64() == other.as_f64())
}

impl Text {
    fn takes(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::IgnoreCase(wanted) => text.to_lowercase() == *wanted,
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix),
            Self::Wildcard(wildcard) => wildcard.takes(text),
        }
    }
}

impl Range {
    fn holds(self, number: f64) -> bool {
        self.low.is_none_or(|(low, own)| number > low || (own && number == low))
            && self.high.is_none_or(|(high, own)| number < high || (own && number == high))
    }
}

impl Network {
    fn holds(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same_bits(net.to_bits().into(), ip.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same_bits(net.to_bits(), ip.to_bits(), 128, self.prefix),
            _ => false,
        }
    }
}

/// Whether two numbers of so many bits agree in the first ones.
fn same_bits(one: u128, other: u128, width: u32, first: u32) -> bool {
    (one ^ other).checked_shr(width - first).unwrap_or(0) == 0
}
