//! The instances of a home in the order in which they'd take one kind of task, as of one world. What has changed since is
//! worked in when the next such task comes; what hasn't costs nothing.

use super::{
    Rules, Strategy,
    candidates::Candidates,
    daemons::{self, Kept},
    filter::Demand,
    room::Room,
};
use model::{
    ClusterKey, ContainerInstance, DefinitionRef, DeploymentId, Group, Home, InstanceId, LaunchType, Scope,
    World,
    world::{Grounds, GroupTasks},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Debug)]
pub(super) struct Ranking {
    kind: Kind,
    alike: Alike,
    grounds: Grounds,
    kept: BTreeMap<InstanceId, Kept>,
    /// In the order of their instances' ids.
    rooms: Vec<Room>,
    candidates: Candidates,
    /// The rooms that were given tasks of which the world doesn't know.
    taken: BTreeSet<usize>,
}

/// Tasks of one kind have the same order of instances, except for where the tasks of their group are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kind {
    home: Home,
    scope: Scope,
    definition: DefinitionRef,
    launch_type: LaunchType,
    size: Option<(i64, i64)>,
    gpus: Option<usize>,
    provider: Option<Arc<str>>,
    member_of: Vec<Arc<str>>,
    distinct_instance: bool,
    strategy: Vec<Strategy>,
}

/// Whose tasks count as alike, where that matters, and where these are.
#[derive(Debug, Clone, Default)]
struct Alike {
    group: Option<(ClusterKey, Group)>,
    deployment: Option<DeploymentId>,
    tasks: GroupTasks,
}

impl Kind {
    pub fn of(demand: &Demand<'_>, rules: &Rules) -> Self {
        let want = demand.want;
        Self {
            home: demand.home.clone(),
            scope: want.cluster.scope.clone(),
            definition: want.definition.clone(),
            launch_type: want.launch_type,
            size: want.size.map(|size| (size.cpu, size.memory_mib)),
            gpus: want.gpus,
            provider: want.capacity_provider.clone(),
            member_of: rules.member_of.iter().map(|one| one.text.clone()).collect(),
            distinct_instance: rules.distinct_instance,
            strategy: rules.strategy.clone(),
        }
    }
}

impl Ranking {
    pub fn new(world: &World, demand: &Demand<'_>, rules: &Rules) -> Self {
        let alike = Alike::of(world, rules);
        let kept = kept(world, &demand.home);
        let rooms: Vec<Room> =
            world.instances(&demand.home).map(|instance| room(world, instance, &alike, &kept)).collect();
        let candidates = Candidates::new(&rules.strategy, &rooms, demand);
        let grounds = world.grounds(&demand.home);
        Self {
            kind: Kind::of(demand, rules),
            alike,
            grounds,
            kept,
            rooms,
            candidates,
            taken: BTreeSet::new(),
        }
    }

    pub fn is_of(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }

    /// Whether it counts this group's tasks, or it doesn't matter whose it counts.
    pub fn counts_for(&self, rules: &Rules) -> bool {
        !rules.asks_for_group()
            || self.alike.group == rules.group && self.alike.deployment == rules.deployment
    }

    /// Whether it can be brought to another world. An expression that asks for tasks can change its mind without a sign;
    /// scores that depend on others' can become better, which the order doesn't allow for.
    pub fn can_follow(&self, demand: &Demand<'_>) -> bool {
        self.candidates.are_independent() && !demand.member_of.iter().any(|one| one.asks_for_tasks())
    }

    /// Brings it to this world. False when it can't be: others are there now.
    pub fn follow(&mut self, world: &World, demand: &Demand<'_>, rules: &Rules) -> bool {
        let (grounds, alike) = (world.grounds(&self.kind.home), Alike::of(world, rules));
        let mut changed: BTreeSet<InstanceId> = self.grounds.differing(&grounds).collect();
        changed.extend(self.alike.differing(&alike));
        if !self.grounds.same_daemons(&grounds) {
            let kept = kept(world, &self.kind.home);
            let differs = |id: &&InstanceId| self.kept.get(id) != kept.get(id);
            changed.extend(self.kept.keys().chain(kept.keys()).filter(differs));
            self.kept = kept;
        }
        (self.grounds, self.alike) = (grounds, alike);
        let mut rooms = std::mem::take(&mut self.taken);
        for id in changed {
            let here = world.instance(id).is_some_and(|instance| instance.home == self.kind.home);
            match self.number(id) {
                Some(number) if here => drop(rooms.insert(number)),
                None if !here => {}
                _ => return false,
            }
        }
        for number in rooms {
            let Some(instance) = world.instance(self.rooms[number].instance.id) else { return false };
            let now = room(world, instance, &self.alike, &self.kept);
            self.candidates.renew(&mut self.rooms, number, |room| *room = now, demand);
        }
        true
    }

    /// One more task on the best instance.
    pub fn take(&mut self, demand: &Demand<'_>, draw: u64) -> Option<InstanceId> {
        let number = self.candidates.take(&mut self.rooms, demand, draw)?;
        self.taken.insert(number);
        Some(self.rooms[number].instance.id)
    }

    /// A task of another kind was placed there just now.
    pub fn yield_to(&mut self, other: &Demand<'_>, on: InstanceId, demand: &Demand<'_>) {
        let Some(number) = self.number(on) else { return };
        self.candidates.renew(&mut self.rooms, number, |room| room.take(other), demand);
        self.taken.insert(number);
    }

    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    fn number(&self, id: InstanceId) -> Option<usize> {
        self.rooms.binary_search_by_key(&id, |room| room.instance.id).ok()
    }
}

impl Alike {
    fn of(world: &World, rules: &Rules) -> Self {
        let Some((cluster, group)) = rules.group.as_ref().filter(|_| rules.asks_for_group()) else {
            return Self::default();
        };
        Self {
            group: rules.group.clone(),
            deployment: rules.deployment.clone(),
            tasks: world.group_tasks(cluster, group).cloned().unwrap_or_default(),
        }
    }

    fn differing(&self, other: &Alike) -> BTreeSet<InstanceId> {
        if self.group == other.group && self.deployment == other.deployment {
            return self.tasks.differing(&other.tasks).collect();
        }
        self.tasks.instances().chain(other.tasks.instances()).collect()
    }

    /// How many there are on the instance: of the group, and of those that are spread.
    fn on(&self, id: InstanceId) -> (usize, usize) {
        let spread = |of: Option<&DeploymentId>| self.deployment.is_none() || of == self.deployment.as_ref();
        self.tasks.on(id).fold((0, 0), |(of_group, alike), (deployment, count)| {
            (of_group + count, alike + if spread(deployment) { count } else { 0 })
        })
    }
}

fn room(
    world: &World,
    instance: &Arc<ContainerInstance>,
    alike: &Alike,
    kept: &BTreeMap<InstanceId, Kept>,
) -> Room {
    let mut room = Room::of(world, instance);
    (room.of_group, room.alike) = alike.on(instance.id);
    if let Some(kept) = kept.get(&instance.id) {
        room.keep(kept);
    }
    room
}

fn kept(world: &World, home: &Home) -> BTreeMap<InstanceId, Kept> {
    match home {
        Home::Cluster(cluster) => daemons::kept_free(world, cluster),
        // No daemon runs on the pool.
        Home::Pool => BTreeMap::new(),
    }
}
