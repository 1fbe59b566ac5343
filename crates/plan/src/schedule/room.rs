use super::{Rules, daemons, filter::Demand};
use model::{ContainerInstance, Home, HostPort, InstanceId, Size, TaskId, World, world::Usage};
use std::collections::{BTreeMap, BTreeSet};

/// How far a draw moves an instance back, at most: so many draws fit in a number.
const DRAW_BITS: u32 = 40;

/// What an instance has left, the placements of this call counted.
pub(super) struct Room<'w> {
    pub instance: &'w ContainerInstance,
    pub left: Size,
    /// Addresses left for `awsvpc` tasks.
    pub addresses: u32,
    pub tasks: usize,
    /// Tasks of the group, which `distinctInstance` keeps apart.
    pub of_group: usize,
    /// Those of them that are spread.
    pub alike: usize,
    /// Who is first among equals. It grows with each placement by a draw, so that who was first is soon behind
    /// others, and each is as likely to be next.
    pub lot: u64,
    held: Option<&'w Usage>,
    promised: BTreeSet<HostPort>,
    seed: u128,
}

/// The instances of one home.
pub(super) fn rooms<'w>(world: &'w World, home: &Home, rules: &Rules, seed: u128) -> Vec<Room<'w>> {
    let mut group: BTreeMap<InstanceId, (usize, usize)> = BTreeMap::new();
    if let Some((cluster, name)) = rules.group.as_ref().filter(|_| rules.asks_for_group()) {
        for task in world.wanted_tasks_of_group(cluster, name) {
            let (of_group, alike) = group.entry(task.instance).or_default();
            *of_group += 1;
            *alike += usize::from(rules.deployment.is_none() || task.deployment == rules.deployment);
        }
    }
    let kept = match home {
        Home::Cluster(cluster) => daemons::kept_free(world, cluster),
        // No daemon runs on the pool.
        Home::Pool => BTreeMap::new(),
    };
    let instances = world.instances(home);
    instances
        .map(|instance| {
            let (of_group, alike) = group.get(&instance.id).copied().unwrap_or_default();
            let mut room = Room { of_group, alike, ..Room::of(world, instance, seed) };
            if let Some(kept) = kept.get(&instance.id) {
                room.left -= kept.size;
                room.addresses = room.addresses.saturating_sub(kept.addresses);
                room.promised.extend(kept.ports.iter().copied());
            }
            room
        })
        .collect()
}

impl<'w> Room<'w> {
    /// Without a look at a group.
    pub fn of(world: &'w World, instance: &'w ContainerInstance, seed: u128) -> Self {
        let held = world.usage(instance.id);
        let given = held.map_or(0, |usage| usage.addresses.len() as u32);
        let mut room = Self {
            instance,
            left: world.remaining(instance),
            addresses: instance.subnet.map_or(0, |subnet| subnet.capacity().saturating_sub(given)),
            tasks: held.map_or(0, |usage| usage.live),
            of_group: 0,
            alike: 0,
            lot: 0,
            held,
            promised: BTreeSet::new(),
            seed,
        };
        room.draw();
        room
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
        self.of_group += 1;
        self.alike += 1;
        self.promised.extend(demand.ports.iter().copied());
        self.draw();
    }

    fn draw(&mut self) {
        let draw = TaskId(self.seed ^ self.instance.id.0).derive("lot", self.tasks);
        self.lot += (draw >> (u128::BITS - DRAW_BITS)) as u64;
    }
}
