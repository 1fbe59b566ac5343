//! Where a task goes. Placements of one call know of each other; whether they still fit when they
//! are carried out, `model::apply` looks at again.

mod candidates;
mod daemons;
mod failure;
mod filter;
mod memory;
mod ranking;
mod room;
mod rules;
mod score;
mod share;
mod want;

pub use daemons::members;
pub use failure::{Failure, FailureReason};
pub use memory::Memory;
pub use rules::{Field, MOST_CONSTRAINTS, MOST_STRATEGIES, Membership, Resource, Rules, Strategy};
pub use share::Shares;
pub use want::Want;

use filter::Demand;
use model::{InstanceId, InstanceStatus, World};
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

/// Finds a place for each want. `seed` decides between equals. Who asks again and again has a [`Memory`].
pub fn place(world: &World, wants: &[Want], rules: &Rules, seed: u128) -> Placement {
    Memory::default().place(world, wants, rules, seed)
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
    let mut rooms: BTreeMap<InstanceId, Room> = BTreeMap::new();
    for (index, id) in instances.iter().enumerate() {
        let Some(instance) = world.instance(*id).filter(|instance| instance.home == demand.home) else {
            placement.failures.push(Failure::no_instance(index));
            continue;
        };
        if instance.status != InstanceStatus::Active {
            placement.failures.push(Failure::not_active(index, instance));
            continue;
        }
        let room = rooms.entry(*id).or_insert_with(|| Room::of(world, instance));
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
