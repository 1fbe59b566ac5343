use super::filter::Demand;
use model::{ContainerInstance, HostPort, Size, World, world::Usage};
use std::collections::BTreeSet;

/// What an instance has left, the placements of this call counted.
pub(super) struct Room<'w> {
    pub instance: &'w ContainerInstance,
    pub left: Size,
    /// Addresses left for `awsvpc` tasks.
    pub addresses: u32,
    pub tasks: usize,
    held: Option<&'w Usage>,
    promised: BTreeSet<HostPort>,
}

impl<'w> Room<'w> {
    pub fn of(world: &'w World, instance: &'w ContainerInstance) -> Self {
        let held = world.usage(instance.id);
        let given = held.map_or(0, |usage| usage.addresses.len() as u32);
        Self {
            instance,
            left: world.remaining(instance),
            addresses: instance.subnet.map_or(0, |subnet| subnet.capacity().saturating_sub(given)),
            tasks: held.map_or(0, |usage| usage.live),
            held,
            promised: BTreeSet::new(),
        }
    }

    pub fn has_port(&self, port: &HostPort) -> bool {
        !self.instance.reserved_ports.contains(port)
            && !self.promised.contains(port)
            && !self.held.is_some_and(|usage| usage.ports.contains(port))
    }

    pub fn take(&mut self, demand: &Demand<'_>) {
        self.left -= demand.size;
        self.addresses -= u32::from(demand.own_address);
        self.tasks += 1;
        self.promised.extend(demand.ports.iter().copied());
    }
}
