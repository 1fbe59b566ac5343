//! Where a task goes. Placements of one call know of each other; whether they still fit when they
//! are carried out, `model::apply` looks at again.

mod candidates;
mod daemons;
mod failure;
mod filter;
mod room;
mod rules;
mod score;
mod share;
mod want;

pub use daemons::members;
pub use failure::{Failure, FailureReason};
pub use rules::{Field, MOST_CONSTRAINTS, MOST_STRATEGIES, Membership, Resource, Rules, Strategy};
pub use share::Shares;
pub use want::Want;

use candidates::Candidates;
use filter::Demand;
use model::{Home, InstanceId, InstanceStatus, World};
use room::Room;
use std::collections::BTreeMap;

/// One want that has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its number in the list of wants.
    pub want: usize,
    pub instance: InstanceId,
}

/// What came of a list of wants: each is in one of the two, both in the order of the list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Placement {
    pub placed: Vec<Placed>,
    pub failures: Vec<Failure>,
}

/// Finds a place for each want. `seed` decides between equals.
pub fn place(world: &World, wants: &[Want], rules: &Rules, _now_ms: u64, seed: u128) -> Placement {
    let mut placement = Placement::default();
    let mut rooms: BTreeMap<Home, Vec<Room<'_>>> = BTreeMap::new();
    for group in want::groups(wants) {
        let want = &wants[group[0]];
        let Some(demand) = Demand::of(world, want, rules) else {
            placement.failures.extend(group.iter().map(|index| Failure::no_definition(*index, want)));
            continue;
        };
        let home = demand.home.clone();
        let rooms = rooms.entry(home).or_insert_with_key(|home| room::rooms(world, home, rules, seed));
        place_group(&demand, rules, &group, rooms, &mut placement);
    }
    placement.placed.sort_by_key(|placed| placed.want);
    placement.failures.sort_by_key(|failure| failure.want);
    placement
}

/// As [`place`], where the caller has chosen: one task on each of `instances`. What another schedule
/// would pass over is a failure here, with the reason that concerns its instance. Of the rules, only what the
/// instances must match counts; what is kept free for daemons is theirs, or the caller's to take.
pub fn place_on(world: &World, want: &Want, rules: &Rules, instances: &[InstanceId]) -> Placement {
    let mut placement = Placement::default();
    let Some(demand) = Demand::of(world, want, rules) else {
        placement.failures.extend((0..instances.len()).map(|index| Failure::no_definition(index, want)));
        return placement;
    };
    let mut rooms: BTreeMap<InstanceId, Room<'_>> = BTreeMap::new();
    for (index, id) in instances.iter().enumerate() {
        let Some(instance) = world.instance(*id).filter(|instance| instance.home == demand.home) else {
            placement.failures.push(Failure::no_instance(index));
            continue;
        };
        if instance.status != InstanceStatus::Active {
            placement.failures.push(Failure::not_active(index, instance));
            continue;
        }
        let room = rooms.entry(*id).or_insert_with(|| Room::of(world, instance, 0));
        match filter::refusal(room, &demand) {
            Some((_, reason)) => placement.failures.push(Failure::on(index, &demand, room, reason)),
            None => {
                room.take(&demand);
                placement.placed.push(Placed { want: index, instance: *id });
            }
        }
    }
    placement
}

fn place_group(
    demand: &Demand<'_>,
    rules: &Rules,
    group: &[usize],
    rooms: &mut [Room<'_>],
    placement: &mut Placement,
) {
    let mut candidates = Candidates::new(&rules.strategy, rooms, demand);
    let mut left = group.iter();
    for index in left.by_ref() {
        let Some(room) = candidates.take(rooms, demand) else {
            // Every instance refuses now, and the ones after this want the same.
            let failure = Failure::explain(demand, rooms);
            placement.failures.push(Failure { want: *index, ..failure.clone() });
            placement.failures.extend(left.map(|index| Failure { want: *index, ..failure.clone() }));
            return;
        };
        placement.placed.push(Placed { want: *index, instance: rooms[room].instance.id });
    }
}
