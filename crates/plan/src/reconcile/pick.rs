//! Which tasks stop.

use super::{Moves, StopReason, census::Census};
use model::{InstanceId, Task, TaskId};
use std::{cmp::Reverse, collections::BTreeMap};

pub(super) fn stops(census: &Census<'_>, moves: Moves) -> Vec<(TaskId, StopReason)> {
    let mut unhealthy = census.unhealthy.clone();
    unhealthy.sort_by_key(|task| (task.created_at_ms, task.id));
    let unhealthy = unhealthy.into_iter().map(|task| (task.id, StopReason::Unhealthy));
    let unhealthy = unhealthy.take(moves.stop_unhealthy as usize);
    let old = census.old.iter().filter(|task| census.may_stop(task));
    let (healthy, idle): (Vec<&Task>, Vec<&Task>) = old.partition(|task| task.is_healthy());
    let new = census.good().filter(|task| census.may_stop(task)).collect();
    let excess = first(new, moves.stop_new).map(|task| (task.id, StopReason::ScaleIn));
    let old = first(idle, moves.stop_old_idle)
        .chain(first(healthy, moves.stop_old_healthy))
        .map(|task| (task.id, StopReason::Superseded));
    unhealthy.chain(excess).chain(old).collect()
}

/// Those that aren't healthy; then those on the instance that has most of them, so that what stays
/// is spread; of these the newest.
pub(super) fn first(mut tasks: Vec<&Task>, count: u32) -> impl Iterator<Item = &Task> {
    tasks.sort_by_key(|task| (Reverse(task.created_at_ms), task.id));
    let mut nth_on: BTreeMap<(bool, InstanceId), usize> = BTreeMap::new();
    // Numbering the tasks of each instance from its oldest: the highest numbers are the crowd.
    let mut ranked: Vec<(bool, Reverse<usize>, &Task)> = tasks
        .iter()
        .rev()
        .map(|task| {
            let nth = nth_on.entry((task.is_healthy(), task.instance)).or_default();
            *nth += 1;
            (task.is_healthy(), Reverse(*nth), *task)
        })
        .collect();
    ranked.reverse();
    ranked.sort_by_key(|(healthy, crowd, _)| (*healthy, *crowd));
    ranked.into_iter().map(|(.., task)| task).take(count as usize)
}
