//! DAEMON services: one task on each ACTIVE container instance that meets the constraints. There is no count to keep, but
//! a place for each task: an old one goes before the new one comes (ECS developer guide, "Daemon scheduling strategy").

use super::{Counts, StopReason, Wait, census, census::Census, pick};
use crate::{
    Want,
    schedule::{self, Rules},
};
use model::{ControllerType, InstanceId, SchedulingStrategy, Service, ServiceStatus, Task, TaskId, World};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Moves {
    pub starts: Vec<InstanceId>,
    pub stops: Vec<(TaskId, StopReason)>,
    pub wait: Option<Wait>,
}

/// Where the service's tasks belong; `None` for one that is no daemon, or that is over.
pub(super) fn members(world: &World, service: &Service) -> Option<BTreeSet<InstanceId>> {
    let active = service.status == ServiceStatus::Active && service.controller == ControllerType::Ecs;
    let primary = service.primary().filter(|_| active && is_daemon(service))?;
    let want = Want {
        cluster: service.key.cluster.clone(),
        definition: primary.definition.clone(),
        launch_type: primary.launch_type,
        size: None,
        gpus: None,
        capacity_provider: None,
    };
    schedule::members(world, &want, &Rules::of(&service.placement_constraints, &[]))
}

pub(super) fn is_daemon(service: &Service) -> bool {
    service.scheduling == SchedulingStrategy::Daemon
}

/// A daemon is the last to leave an instance that drains: what it serves goes first.
pub(super) fn stays(world: &World, task: &Task) -> bool {
    let serves = |other: &Task| {
        let service = other.service_key().and_then(|key| world.service(&key));
        !service.is_some_and(|service| is_daemon(service))
    };
    census::is_on_draining(world, task) && world.live_tasks_on(task.instance).any(|other| serves(other))
}

/// `counts` are those of the census.
pub(super) fn moves(census: &Census<'_>, members: &BTreeSet<InstanceId>, counts: Counts) -> Moves {
    let mut moves = Moves::default();
    let taken: BTreeSet<InstanceId> =
        census.wanted().chain(census.leaving.iter().copied()).map(|task| task.instance).collect();
    if !counts.held_back {
        moves.starts = members.difference(&taken).copied().collect();
    }

    let old = census.old.iter().copied().filter(|task| census.may_stop(task));
    let (here, elsewhere): (Vec<&Task>, Vec<&Task>) = old.partition(|task| members.contains(&task.instance));
    moves.stops.extend(elsewhere.into_iter().map(|task| (task.id, StopReason::ScaleIn)));

    let (healthy, idle): (Vec<&Task>, Vec<&Task>) = here.into_iter().partition(|task| task.is_healthy());
    let waiting = healthy.len();
    // Nobody misses those that aren't healthy.
    moves.stops.extend(idle.into_iter().map(|task| (task.id, StopReason::Superseded)));
    if !counts.held_back {
        let all = counts.new_healthy + census.old.iter().filter(|task| is_at(task, members)).count() as u32;
        let spare = all.saturating_sub(counts.new_unproven).saturating_sub(counts.lower_bound());
        let stopping = pick::first(census, healthy, spare).map(|task| (task.id, StopReason::Superseded));
        moves.stops.extend(stopping);
        // Of those that failed their health checks one at a time makes way for the next (ECS API reference,
        // DeploymentConfiguration): there is no room for both.
        if census.leaving.is_empty() {
            let first = census.unhealthy.iter().min_by_key(|task| (task.created_at_ms, task.id));
            moves.stops.extend(first.map(|task| (task.id, StopReason::Unhealthy)));
        }
    }

    let quiet = moves.starts.is_empty() && moves.stops.is_empty() && census.leaving.is_empty();
    if quiet && waiting > 0 {
        let coming = counts.new > counts.new_healthy - counts.new_unproven || counts.unhealthy > 0;
        moves.wait = Some(if coming || counts.held_back { Wait::Healthy } else { Wait::Bounds });
    }
    moves
}

/// Whether it is healthy, and where it belongs.
fn is_at(task: &Task, members: &BTreeSet<InstanceId>) -> bool {
    task.is_healthy() && members.contains(&task.instance)
}
