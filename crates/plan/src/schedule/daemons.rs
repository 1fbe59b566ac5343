//! Where the tasks of DAEMON services belong, and what is kept free for those that aren't there yet: a daemon is the
//! first task on an instance (ECS developer guide, "Daemon scheduling strategy").

use super::{
    Rules, Want,
    filter::{self, Demand},
    room::Room,
};
use model::{ClusterKey, HostPort, InstanceId, RolloutState, Service, Size, World};
use std::collections::{BTreeMap, BTreeSet};

/// What daemons still need of an instance.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Kept {
    pub size: Size,
    pub addresses: u32,
    pub gpus: usize,
    pub ports: BTreeSet<HostPort>,
}

/// The ACTIVE instances that constraints and attributes let such a task onto, whether they have room and an agent now
/// or not. `None` when there is no such definition.
pub fn members(world: &World, want: &Want, rules: &Rules) -> Option<BTreeSet<InstanceId>> {
    let demand = Demand::of(world, want, rules)?;
    let belongs = |id: &InstanceId| {
        world.instance(*id).is_some_and(|instance| filter::belongs(&Room::of(world, instance), &demand))
    };
    Some(world.instances(&demand.home).map(|instance| instance.id).filter(belongs).collect())
}

/// By instance, for all daemons of the cluster together.
pub(super) fn kept_free(world: &World, cluster: &ClusterKey) -> BTreeMap<InstanceId, Kept> {
    let mut kept: BTreeMap<InstanceId, Kept> = BTreeMap::new();
    for service in world.daemons(cluster) {
        keep_for(world, service, &mut kept);
    }
    kept
}

fn keep_for(world: &World, service: &Service, kept: &mut BTreeMap<InstanceId, Kept>) {
    // One that has failed starts nothing more.
    let Some(primary) = service.primary().filter(|primary| primary.rollout_state != RolloutState::Failed)
    else {
        return;
    };
    let want = Want {
        cluster: service.key.cluster.clone(),
        definition: primary.definition.clone(),
        launch_type: primary.launch_type,
        size: None,
        gpus: None,
        capacity_provider: None,
    };
    let rules = Rules::of(&service.placement_constraints, &[]);
    let Some((demand, members)) = Demand::of(world, &want, &rules).zip(members(world, &want, &rules)) else {
        return;
    };
    let mut held: BTreeMap<InstanceId, Size> = BTreeMap::new();
    for task in world.live_tasks_of(&service.key) {
        *held.entry(task.instance).or_default() += task.size;
    }
    for id in members {
        let there = held.get(&id);
        // What a task of it holds makes way for the next one.
        let lacking = demand.size - there.copied().unwrap_or_default();
        let kept = kept.entry(id).or_default();
        kept.size += Size::new(lacking.cpu.max(0), lacking.memory_mib.max(0));
        if there.is_none() {
            kept.addresses += u32::from(demand.own_address);
            kept.gpus += demand.gpus;
            kept.ports.extend(demand.ports.iter().copied());
        }
    }
}
