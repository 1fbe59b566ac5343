use crate::query::Expression;
use model::{
    ClusterKey, ConstraintKind, ContainerInstance, DeploymentId, Group, PlacementConstraint,
    PlacementStrategy, StrategyKind, World,
};
use std::sync::Arc;

/// Most strategies of a call (ECS API reference, RunTask).
pub const MOST_STRATEGIES: usize = 5;
/// Most constraints of a task, those of its definition included.
pub const MOST_CONSTRAINTS: usize = 10;

/// How the tasks of one call are to be placed. Without a strategy, the emptiest instance is best.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// Whose tasks count as alike: what is spread, and what is kept apart.
    pub group: Option<(ClusterKey, Group)>,
    /// Of a service: only this deployment's tasks are spread. Those of others are about to go.
    pub deployment: Option<DeploymentId>,
    /// No two tasks of the group on one instance.
    pub distinct_instance: bool,
    pub member_of: Vec<Membership>,
    /// In order: each chooses among those that the ones before it find equal.
    pub strategy: Vec<Strategy>,
}

/// An expression that an instance must match.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    pub text: Arc<str>,
    /// `None` where it can't be read: nobody is a member then. The API takes none such.
    expression: Option<Expression>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strategy {
    Random,
    Spread(Field),
    Binpack(Resource),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Instance,
    /// By its name; instances without it are spread over as one.
    Attribute(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Cpu,
    Memory,
}

impl Rules {
    /// As a call or a service gives them. What the API wouldn't take is passed over.
    pub fn of(constraints: &[PlacementConstraint], strategy: &[PlacementStrategy]) -> Self {
        let expressions = constraints.iter().filter(|constraint| constraint.kind == ConstraintKind::MemberOf);
        Self {
            distinct_instance: constraints.iter().any(|c| c.kind == ConstraintKind::DistinctInstance),
            member_of: expressions.filter_map(|c| c.expression.as_ref()).map(Membership::of).collect(),
            strategy: strategy.iter().filter_map(Strategy::of).take(MOST_STRATEGIES).collect(),
            ..Self::default()
        }
    }

    /// Whether it matters where the group's other tasks are.
    pub(super) fn asks_for_group(&self) -> bool {
        self.distinct_instance || self.strategy.iter().any(|strategy| matches!(strategy, Strategy::Spread(_)))
    }
}

impl Membership {
    pub fn of(text: &Arc<str>) -> Self {
        Self { text: text.clone(), expression: Expression::parse(text).ok() }
    }

    /// Whether the answer depends on which tasks the instance hosts.
    pub(super) fn asks_for_tasks(&self) -> bool {
        self.expression.as_ref().is_some_and(Expression::asks_for_tasks)
    }

    pub(super) fn includes(&self, world: &World, instance: &ContainerInstance) -> bool {
        self.expression.as_ref().is_some_and(|expression| expression.matches(world, instance))
    }
}

impl Strategy {
    /// `None` for a field that ECS doesn't know (API reference, PlacementStrategy).
    pub fn of(given: &PlacementStrategy) -> Option<Self> {
        let field = given.field.as_deref().unwrap_or_default();
        Some(match given.kind {
            StrategyKind::Random => Self::Random,
            StrategyKind::Spread => Self::Spread(Field::named(field)?),
            StrategyKind::Binpack if field.eq_ignore_ascii_case("cpu") => Self::Binpack(Resource::Cpu),
            StrategyKind::Binpack if field.eq_ignore_ascii_case("memory") => Self::Binpack(Resource::Memory),
            StrategyKind::Binpack => return None,
        })
    }
}

impl Field {
    fn named(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("instanceId") || text.eq_ignore_ascii_case("host") {
            return Some(Self::Instance);
        }
        text.strip_prefix("attribute:")
            .filter(|name| !name.is_empty())
            .map(|name| Self::Attribute(name.into()))
    }
}
