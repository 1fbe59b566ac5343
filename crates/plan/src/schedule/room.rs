use super::filter::Demand;
use model::{ContainerInstance, HostPort, Size, TaskId, World, world::Usage};
use std::{collections::BTreeSet, sync::Arc};

use super::daemons::Kept;

/// What an instance has left, the placements of this call counted.
#[derive(Debug)]
pub(super) struct Room {
    pub instance: Arc<ContainerInstance>,
    pub left: Size,
    /// Addresses left for `awsvpc` tasks.
    pub addresses: u32,
    pub gpus: usize,
    pub tasks: usize,
    /// Tasks of the group, which `distinctInstance` keeps apart.
    pub of_group: usize,
    /// Those of them that are spread.
    pub alike: usize,
    held: Option<Usage>,
    promised: BTreeSet<HostPort>,
}

impl Room {
    /// Without a look at a group or at daemons.
    pub fn of(world: &World, instance: &Arc<ContainerInstance>) -> Self {
        let held = world.usage(instance.id).cloned();
        let given = held.as_ref().map_or(0, |usage| usage.addresses.len() as u32);
        Self {
            left: world.remaining(instance),
            addresses: instance.subnet.map_or(0, |subnet| subnet.capacity().saturating_sub(given)),
            gpus: Usage::free_gpus(held.as_ref(), instance).count(),
            tasks: held.as_ref().map_or(0, |usage| usage.live),
            of_group: 0,
            alike: 0,
            promised: BTreeSet::new(),
            held,
            instance: instance.clone(),
        }
    }

    /// Without what daemons still need.
    pub fn keep(&mut self, kept: &Kept) {
        self.left -= kept.size;
        self.addresses = self.addresses.saturating_sub(kept.addresses);
        self.gpus = self.gpus.saturating_sub(kept.gpus);
        self.promised.extend(kept.ports.iter().copied());
    }

    pub fn has_port(&self, port: &HostPort) -> bool {
        !self.instance.reserved_ports.contains(port)
            && !self.promised.contains(port)
            && !self.held.as_ref().is_some_and(|usage| usage.ports.contains(port))
    }

    pub fn take(&mut self, demand: &Demand<'_>) {
        self.left -= demand.size;
        self.addresses = self.addresses.saturating_sub(u32::from(demand.own_address));
        self.gpus = self.gpus.saturating_sub(demand.gpus);
        self.tasks += 1;
        self.of_group += 1;
        self.alike += 1;
        self.promised.extend(demand.ports.iter().copied());
    }

    /// Where it is among its equals. It moves with each task, so that in the long run each is as likely to be next.
    pub fn spot(&self) -> u64 {
        (TaskId(self.instance.id.0).derive("spot", self.tasks) >> 64) as u64
    }
}

/// A number that has nothing to do with `number` (the finaliser of SplitMix64, as `TaskId::derive` has it).
pub(super) fn mix(number: u64) -> u64 {
    let mut state = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
