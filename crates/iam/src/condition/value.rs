//! What a condition expects of a key's value.

use std::net::IpAddr;

use time::{Date, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::operator::{Order, Test};
use crate::{
    evaluate::Keys,
    pattern::{Pattern, Token, matches},
};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expected {
    Text(Pattern),
    TextIgnoringCase(Pattern),
    Like(Pattern),
    Arn(Pattern),
    Number(Order, f64),
    /// Milliseconds since the epoch.
    Date(Order, i128),
    Truth(bool),
    /// An address, and how many of its bits count.
    Address(IpAddr, u8),
}

impl Expected {
    /// `None`: the text is no value for the test.
    pub fn parse(test: Test, text: &str, has_variables: bool) -> Option<Expected> {
        let pattern = || Pattern::parse(text, has_variables);
        Some(match test {
            Test::Text => Expected::Text(pattern()?),
            Test::TextIgnoringCase => Expected::TextIgnoringCase(pattern()?),
            Test::Like => Expected::Like(pattern()?),
            Test::Arn => Expected::Arn(pattern()?),
            Test::Number(order) => Expected::Number(order, number(text)?),
            Test::Date(order) => Expected::Date(order, date(text)?),
            Test::Truth | Test::Absent => Expected::Truth(truth(text)?),
            Test::Address => {
                let (address, bits) = addresses(text)?;
                Expected::Address(address, bits)
            }
        })
    }

    pub fn fits(&self, actual: &str, keys: &Keys) -> bool {
        match self {
            Expected::Text(pattern) => pattern.literal(keys).is_some_and(|text| text == actual),
            Expected::TextIgnoringCase(pattern) => {
                pattern.literal(keys).is_some_and(|text| text.to_lowercase() == actual.to_lowercase())
            }
            Expected::Like(pattern) => pattern.matches(actual, keys),
            Expected::Arn(pattern) => pattern.resolve(keys).is_some_and(|tokens| arn_fits(&tokens, actual)),
            Expected::Number(order, expected) => {
                let ordering = number(actual).and_then(|actual| actual.partial_cmp(expected));
                ordering.is_some_and(|ordering| order.holds(ordering))
            }
            Expected::Date(order, expected) => {
                date(actual).is_some_and(|actual| order.holds(actual.cmp(expected)))
            }
            Expected::Truth(expected) => truth(actual) == Some(*expected),
            Expected::Address(network, bits) => {
                actual.parse().is_ok_and(|address| is_within(address, *network, *bits))
            }
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// ISO 8601 as the W3C profiles it, to the day or finer, or seconds since the epoch.
fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1000);
    }
    let day = format_description!("[year]-[month]-[day]");
    let at = match Date::parse(text, day) {
        Ok(day) => day.midnight().assume_utc(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok()?,
    };
    Some(at.unix_timestamp_nanos() / 1_000_000)
}

/// An address, or a network in CIDR form.
fn addresses(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
        None => (text.parse().ok()?, None),
    };
    let most = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
    Some((address, bits.unwrap_or(most))).filter(|(_, bits)| *bits <= most)
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    // Both at the front of 128 bits, so that one shift compares them.
    let front = |address: IpAddr| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let address = address.to_canonical();
    let differ = front(address) ^ front(network);
    address.is_ipv4() == network.is_ipv4() && differ.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
}

/// The six parts one by one, so that a wildcard stays within its own; the last part may have colons.
fn arn_fits(pattern: &[Token], actual: &str) -> bool {
    let pattern: Vec<&[Token]> = pattern.splitn(6, |token| *token == Token::Is(':')).collect();
    let actual: Vec<&str> = actual.splitn(6, ':').collect();
    // `*` alone is every ARN.
    if let [[Token::Any]] = pattern.as_slice() {
        return true;
    }
    pattern.len() == 6
        && actual.len() == 6
        && pattern.iter().zip(actual).all(|(pattern, actual)| matches(pattern, actual))
}
