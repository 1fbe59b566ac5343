//! An expression as text that reads back as the same expression.

use super::{Comparison, Expression, Test};
use std::fmt;

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(subject, test) => write!(f, "{} {test}", subject.name()),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::And(a, b) => write!(f, "({a}) and ({b})"),
            Self::Or(a, b) => write!(f, "({a}) or ({b})"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(wanted) => f.write_str(if *wanted { "exists" } else { "!exists" }),
            Self::Compare(comparison, value) => write!(f, "{comparison} {}", quoted(value)),
            Self::In(wanted, list) => {
                let items: Vec<String> = list.iter().map(|item| quoted(item)).collect();
                write!(f, "{} [{}]", if *wanted { "in" } else { "!in" }, items.join(", "))
            }
            Self::Matches(wanted, pattern) => {
                write!(f, "{} {}", if *wanted { "=~" } else { "!~" }, quoted(pattern.text()))
            }
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        })
    }
}

/// No value that was read holds both kinds of quotation mark.
fn quoted(value: &str) -> String {
    if value.contains('\'') { format!("\"{value}\"") } else { format!("'{value}'") }
}
