//! The cluster query language: which container instances an expression is about (ECS developer
//! guide, "Cluster query language"). `ListContainerInstances` filters by it, and `memberOf` placement
//! constraints are written in it.
//!
//! An expression is read once by [`Expression::parse`], which refuses whatever could never be meant
//! (an operator that a subject hasn't, a date that is none), and then asked of each instance.

mod compare;
mod parse;
mod show;
mod subject;
mod text;

pub use compare::{Pattern, Version};
pub use parse::Malformed;
pub use subject::Subject;

use compare::order;
use model::{ContainerInstance, World};
use std::cmp::Ordering;

/// Longest text of an expression (ECS API reference, PlacementConstraint.expression).
pub const MOST_CHARACTERS: usize = 2000;

#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Is(Subject, Test),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

/// What is asked of a subject's value. Of one that has several (the groups of an instance's tasks),
/// one that passes is enough; the negations are the opposites of the others, so an instance without
/// the attribute passes `!=`.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Exists(bool),
    Compare(Comparison, String),
    /// `false`: in none of them.
    In(bool, Vec<String>),
    Matches(bool, Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Expression {
    /// Reads an expression; see [`Malformed`] for what may be wrong with it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        parse::expression(text)
    }

    /// Whether it is also about which tasks an instance hosts.
    pub fn asks_for_tasks(&self) -> bool {
        match self {
            Self::Is(subject, _) => *subject == Subject::TaskGroup,
            Self::Not(inner) => inner.asks_for_tasks(),
            Self::And(a, b) | Self::Or(a, b) => a.asks_for_tasks() || b.asks_for_tasks(),
        }
    }

    pub fn matches(&self, world: &World, instance: &ContainerInstance) -> bool {
        match self {
            Self::Is(subject, test) => test.passes(subject, &subject.values(world, instance)),
            Self::Not(inner) => !inner.matches(world, instance),
            Self::And(a, b) => a.matches(world, instance) && b.matches(world, instance),
            Self::Or(a, b) => a.matches(world, instance) || b.matches(world, instance),
        }
    }
}

impl Test {
    fn passes(&self, subject: &Subject, values: &[String]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        let ordered = |argument: &str, wanted: &[Ordering]| {
            any(&|value| wanted.contains(&order(subject, value, argument)))
        };
        match self {
            Self::Exists(wanted) => values.is_empty() != *wanted,
            Self::In(wanted, list) => any(&|value| list.iter().any(|item| item == value)) == *wanted,
            Self::Matches(wanted, pattern) => any(&|value| pattern.matches(value)) == *wanted,
            Self::Compare(comparison, argument) => match comparison {
                Comparison::Equal => ordered(argument, &[Ordering::Equal]),
                Comparison::NotEqual => !ordered(argument, &[Ordering::Equal]),
                Comparison::Greater => ordered(argument, &[Ordering::Greater]),
                Comparison::GreaterOrEqual => ordered(argument, &[Ordering::Greater, Ordering::Equal]),
                Comparison::Less => ordered(argument, &[Ordering::Less]),
                Comparison::LessOrEqual => ordered(argument, &[Ordering::Less, Ordering::Equal]),
            },
        }
    }
}
