//! What an operator's name says: the test, its negation, and what holds for keys that a request has not, or
//! has several values of.

use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub test: Test,
    /// No value may fit.
    is_negated: bool,
    /// Holds where the request doesn't have the key.
    if_exists: bool,
    over: Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Text,
    TextIgnoringCase,
    /// With wildcards.
    Like,
    /// Part for part, with wildcards.
    Arn,
    Number(Order),
    Date(Order),
    Truth,
    Address,
    /// Whether the request lacks the key.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Order::Equal => ordering.is_eq(),
            Order::Less => ordering.is_lt(),
            Order::LessOrEqual => ordering.is_le(),
            Order::Greater => ordering.is_gt(),
            Order::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Of the request's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// There should be one.
    One,
    Any,
    All,
}

impl Operator {
    pub fn parse(name: &str) -> Option<Operator> {
        let (over, rest) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Over::Any, rest),
            Some(("ForAllValues", rest)) => (Over::All, rest),
            Some(_) => return None,
            None => (Over::One, name),
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (test, is_negated) = match rest {
            "StringEquals" | "BinaryEquals" => (Test::Text, false),
            "StringNotEquals" => (Test::Text, true),
            "StringEqualsIgnoreCase" => (Test::TextIgnoringCase, false),
            "StringNotEqualsIgnoreCase" => (Test::TextIgnoringCase, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Truth, false),
            "IpAddress" => (Test::Address, false),
            "NotIpAddress" => (Test::Address, true),
            "Null" if !if_exists && over == Over::One => (Test::Absent, false),
            _ => match (rest.strip_prefix("Numeric"), rest.strip_prefix("Date")) {
                (Some(order), _) => order_of(order).map(|(order, not)| (Test::Number(order), not))?,
                (_, Some(order)) => order_of(order).map(|(order, not)| (Test::Date(order), not))?,
                _ => return None,
            },
        };
        Some(Operator { test, is_negated, if_exists, over })
    }

    /// `actual`: the request's values of the key. `fits`: whether one fits any of the policy's.
    pub fn holds(&self, actual: Option<&[String]>, fits: impl Fn(&String) -> bool) -> bool {
        if self.test == Test::Absent {
            return fits(&actual.is_none().to_string());
        }
        let Some(values) = actual else {
            return match self.over {
                Over::All => true,
                Over::Any => self.if_exists,
                Over::One => self.if_exists || self.is_negated,
            };
        };
        let holds = |value: &String| fits(value) != self.is_negated;
        match self.over {
            Over::Any => values.iter().any(holds),
            Over::All => values.iter().all(holds),
            // A negation is about all that is there.
            Over::One if self.is_negated => values.iter().all(holds),
            Over::One => values.iter().any(holds),
        }
    }
}

fn order_of(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    })
}
