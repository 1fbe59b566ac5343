//! Placement constraints and strategies, as RunTask, CreateService and UpdateService take them.

use model::{
    ConstraintKind, LaunchType, PlacementConstraint, PlacementStrategy, StrategyKind, TaskDefinition,
};
use plan::query::Expression;
use plan::schedule::{Field, MOST_CONSTRAINTS, MOST_STRATEGIES, Strategy};
use wire::{Error, ecs};

/// `definition`: its own constraints count too.
pub(crate) fn constraints(
    launch_type: LaunchType,
    definition: &TaskDefinition,
    given: Option<&[ecs::PlacementConstraint]>,
) -> Result<Vec<PlacementConstraint>, Error> {
    let given = given.unwrap_or_default();
    check_count(launch_type, definition, given.len())?;
    given.iter().map(constraint).collect()
}

/// Whether so many constraints go with what is to run.
pub(crate) fn check_count(
    launch_type: LaunchType,
    definition: &TaskDefinition,
    count: usize,
) -> Result<(), Error> {
    if launch_type == LaunchType::Fargate && count > 0 {
        return Err(not_on_fargate("constraints"));
    }
    if count + definition.member_of.len() > MOST_CONSTRAINTS {
        return Err(Error::invalid_parameter(format!(
            "A task may have {MOST_CONSTRAINTS} placement constraints at most, those of its task definition included."
        )));
    }
    Ok(())
}

fn constraint(given: &ecs::PlacementConstraint) -> Result<PlacementConstraint, Error> {
    let refuse = |why: &str| Err(Error::invalid_parameter(format!("Invalid placement constraint: {why}.")));
    let expression = given.expression.as_deref().filter(|text| !text.trim().is_empty());
    match (given.r#type, expression) {
        (None, _) => refuse("it has no type"),
        (Some(ecs::PlacementConstraintType::DistinctInstance), None) => {
            Ok(PlacementConstraint { kind: ConstraintKind::DistinctInstance, expression: None })
        }
        (Some(ecs::PlacementConstraintType::DistinctInstance), Some(_)) => {
            refuse("one of the type distinctInstance has no expression")
        }
        (Some(ecs::PlacementConstraintType::MemberOf), None) => {
            refuse("one of the type memberOf needs an expression")
        }
        (Some(ecs::PlacementConstraintType::MemberOf), Some(text)) => match Expression::parse(text) {
            Ok(_) => {
                Ok(PlacementConstraint { kind: ConstraintKind::MemberOf, expression: Some(text.into()) })
            }
            Err(malformed) => refuse(&malformed.to_string()),
        },
    }
}

pub(crate) fn strategy(
    launch_type: LaunchType,
    given: Option<&[ecs::PlacementStrategy]>,
) -> Result<Vec<PlacementStrategy>, Error> {
    // "To remove an existing placement strategy, specify an empty object" (API reference, UpdateService).
    let given: &[_] = match given.unwrap_or_default() {
        [ecs::PlacementStrategy { r#type: None, field: None }] => &[],
        given => given,
    };
    if launch_type == LaunchType::Fargate && !given.is_empty() {
        return Err(not_on_fargate("strategies"));
    }
    if given.len() > MOST_STRATEGIES {
        return Err(Error::invalid_parameter(format!(
            "A task may have {MOST_STRATEGIES} placement strategies at most."
        )));
    }
    given.iter().map(one_strategy).collect()
}

fn one_strategy(given: &ecs::PlacementStrategy) -> Result<PlacementStrategy, Error> {
    let refuse = |why: String| Err(Error::invalid_parameter(format!("Invalid placement strategy: {why}.")));
    let kind = match given.r#type {
        Some(ecs::PlacementStrategyType::Random) => StrategyKind::Random,
        Some(ecs::PlacementStrategyType::Spread) => StrategyKind::Spread,
        Some(ecs::PlacementStrategyType::Binpack) => StrategyKind::Binpack,
        None => return refuse("it has no type".to_owned()),
    };
    let strategy = PlacementStrategy { kind, field: given.field.as_deref().map(Into::into) };
    let fields = match (Strategy::of(&strategy), kind) {
        // `host` has the same effect as `instanceId`, by which it is given back.
        (Some(Strategy::Spread(Field::Instance)), _) => {
            return Ok(PlacementStrategy { kind, field: Some("instanceId".into()) });
        }
        (Some(_), _) => return Ok(strategy),
        (None, StrategyKind::Binpack) => "cpu or memory",
        (None, _) => "instanceId, host or attribute:NAME",
    };
    let field = given.field.as_deref().unwrap_or_default();
    refuse(format!("the field of the type {kind} is {fields}, not \"{field}\""))
}

fn not_on_fargate(what: &str) -> Error {
    Error::invalid_parameter(format!("Placement {what} are not supported with FARGATE launch type."))
}

pub(crate) fn constraint_to_wire(constraint: &PlacementConstraint) -> ecs::PlacementConstraint {
    ecs::PlacementConstraint {
        r#type: constraint.kind.as_str().parse().ok(),
        expression: constraint.expression.as_ref().map(ToString::to_string),
    }
}

pub(crate) fn strategy_to_wire(strategy: &PlacementStrategy) -> ecs::PlacementStrategy {
    ecs::PlacementStrategy {
        r#type: strategy.kind.as_str().parse().ok(),
        field: strategy.field.as_ref().map(ToString::to_string),
    }
}
