//! Which tasks stop.

use super::{Moves, StopReason, census::Census, order::order};
use crate::schedule::{Field, Rules, Strategy};
use model::{Task, TaskId};

pub(super) fn stops(census: &Census<'_>, moves: Moves) -> Vec<(TaskId, StopReason)> {
    let mut unhealthy = census.unhealthy.clone();
    unhealthy.sort_by_key(|task| (task.created_at_ms, task.id));
    let unhealthy = unhealthy.into_iter().map(|task| (task.id, StopReason::Unhealthy));
    let unhealthy = unhealthy.take(moves.stop_unhealthy as usize);
    let old = census.old.iter().filter(|task| census.may_stop(task));
    let (healthy, idle): (Vec<&Task>, Vec<&Task>) = old.partition(|task| task.is_healthy());
    let excess = excess(census, moves.stop_new).map(|task| (task.id, StopReason::ScaleIn));
    let old = first(census, idle, moves.stop_old_idle)
        .chain(first(census, healthy, moves.stop_old_healthy))
        .map(|task| (task.id, StopReason::Superseded));
    unhealthy.chain(excess).chain(old).collect()
}

/// So that what stays is spread over the instances.
pub(super) fn first<'t>(
    census: &Census<'_>,
    tasks: Vec<&'t Task>,
    count: u32,
) -> impl Iterator<Item = &'t Task> {
    order(census.world, tasks, &[], &[]).into_iter().take(count as usize)
}

/// By the service's strategy.
fn excess<'w>(census: &Census<'w>, count: u32) -> impl Iterator<Item = &'w Task> {
    let (going, staying): (Vec<&Task>, Vec<&Task>) = census.good().partition(|task| census.may_stop(task));
    let strategies = Rules::of(&[], &census.service.placement_strategy).strategy;
    let strategies = if strategies.is_empty() { vec![zones()] } else { strategies };
    order(census.world, going, &staying, &strategies).into_iter().take(count as usize)
}

/// A service's default (ECS developer guide, "Amazon ECS task placement strategies").
fn zones() -> Strategy {
    Strategy::Spread(Field::Attribute("ecs.availability-zone".into()))
}
