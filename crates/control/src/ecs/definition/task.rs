//! Rules for the definition as a whole.

use std::sync::Arc;

use plan::query::Expression;
use wire::Error;
use wire::ecs::{
    self, RegisterTaskDefinitionRequest, TaskDefinitionPlacementConstraint,
    TaskDefinitionPlacementConstraintType,
};

use super::proposed::Proposed;
use super::refusal::{own, said};
use super::size;

/// Names have letters, digits, hyphens and underscores (API reference: family, container, volume).
const NAME_LENGTH: usize = 255;
/// ECS service quotas.
const MOST_CONTAINERS: usize = 10;
/// API reference, RegisterTaskDefinition.placementConstraints.
const MOST_CONSTRAINTS: usize = 10;
/// API reference, RegisterTaskDefinition.cpu: where Fargate's table doesn't say it.
const CPU_UNITS: std::ops::RangeInclusive<u32> = 128..=196_608;
/// API reference, EphemeralStorage.
const EPHEMERAL_GIB: std::ops::RangeInclusive<i32> = 21..=200;

pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=NAME_LENGTH).contains(&text.len()) && text.bytes().all(allowed)
}

/// What can be told before anything is filled in.
pub(super) fn check_request(request: &RegisterTaskDefinitionRequest) -> Result<(), Error> {
    if request.family.is_empty() {
        return Err(said("Family can not be blank."));
    }
    if !is_name(&request.family) {
        return Err(said("Family contains invalid characters."));
    }
    match request.container_definitions.len() {
        0 => return Err(said("Container list cannot be empty.")),
        1..=MOST_CONTAINERS => {}
        _ => return Err(said("Too many containers.")),
    }
    if request.inference_accelerators.as_ref().is_some_and(|all| !all.is_empty()) {
        return Err(said("Unsupported field 'inferenceAccelerators'."));
    }
    Ok(())
}

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let document = proposed.document;
    if let Some(storage) = &document.ephemeral_storage {
        if storage.size_in_gib < *EPHEMERAL_GIB.start() {
            return Err(said("EphemeralStorage size should be at least 21."));
        }
        if storage.size_in_gib > *EPHEMERAL_GIB.end() {
            return Err(said("EphemeralStorage size should be at most 200."));
        }
    }
    let fargate = proposed.requires(model::LaunchType::Fargate);
    if !fargate && proposed.cpu.is_some_and(|units| !CPU_UNITS.contains(&units)) {
        return Err(size::invalid("cpu"));
    }
    check_constraints(proposed)
}

fn check_constraints(proposed: &Proposed<'_>) -> Result<(), Error> {
    let constraints = proposed.document.placement_constraints.as_deref().unwrap_or_default();
    if constraints.len() > MOST_CONSTRAINTS {
        return Err(own(format!("A task may have {MOST_CONSTRAINTS} placement constraints at most.")));
    }
    for constraint in constraints {
        if constraint.r#type != Some(TaskDefinitionPlacementConstraintType::MemberOf) {
            return Err(own("A placement constraint of a task definition must have the type memberOf."));
        }
        let Some(expression) = expression(constraint) else {
            return Err(own("A placement constraint of the type memberOf must have an expression."));
        };
        if let Err(malformed) = Expression::parse(expression) {
            return Err(own(format!("The expression of a placement constraint can't be read: {malformed}.")));
        }
    }
    Ok(())
}

/// Those of the `memberOf` placement constraints.
pub(super) fn expressions(document: &ecs::TaskDefinition) -> Vec<Arc<str>> {
    document.placement_constraints.iter().flatten().filter_map(expression).map(Into::into).collect()
}

fn expression(constraint: &TaskDefinitionPlacementConstraint) -> Option<&str> {
    constraint.expression.as_deref().filter(|expression| !expression.trim().is_empty())
}
