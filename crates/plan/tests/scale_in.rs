//! Which tasks go when a service has too many: the placement strategy the other way round.

mod support;

use model::{command::*, *};
use plan::reconcile::StopReason;
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::*;

fn strategy(kind: StrategyKind, field: &str) -> PlacementStrategy {
    PlacementStrategy { kind, field: Some(field.into()) }
}

/// Machines by their zones, with room for so many tasks each; a service with so many tasks on them.
fn running(machines: &[(&str, i64)], desired: u32, strategies: Vec<PlacementStrategy>) -> Sim {
    let mut sim = Sim::new(0, 0);
    for (index, (zone, room)) in machines.iter().enumerate() {
        let name = |name: &str| Attribute { name: name.into(), value: Some((*zone).into()) };
        let attributes = vec![name("ecs.availability-zone"), name("zone")];
        let size = Size::new(256 * room, 512 * room);
        let home = Home::Cluster(cluster());
        sim.join(Registration { attributes, ..instance(index as u128 + 1, home, size) });
    }
    let deployment = NewDeployment { launch_type: LaunchType::Ec2, ..deployment(1, "one") };
    let new = NewService {
        deployment: Some(deployment),
        placement_strategy: strategies,
        ..service(desired, 100, 200)
    };
    let mut sim = sim.with(new);
    sim.come_to_rest();
    assert_eq!(sim.healthy(), desired as usize);
    sim
}

fn scale(sim: &mut Sim, desired: u32) {
    sim.update(ServiceChange { desired_count: Some(desired), ..Default::default() });
    sim.come_to_rest();
    assert_eq!(sim.wanted(), desired as usize);
}

fn tasks_by<K: Ord>(sim: &Sim, by: impl Fn(&Task) -> K) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for task in sim.world.live_tasks_of(&key()).filter(|task| task.is_wanted()) {
        *counts.entry(by(task)).or_default() += 1;
    }
    counts
}

fn by_zone(sim: &Sim) -> BTreeMap<String, usize> {
    tasks_by(sim, |task| {
        let instance = sim.world.instance(task.instance).unwrap();
        instance.attribute("zone").unwrap().value.as_deref().unwrap().to_owned()
    })
}

#[test]
fn zones_stay_even_and_then_the_instances_within_them() {
    // Two instances of zone a have as many tasks as the one of b.
    let spread =
        vec![strategy(StrategyKind::Spread, "attribute:zone"), strategy(StrategyKind::Spread, "instanceId")];
    let mut sim = running(&[("a", 9), ("a", 9), ("b", 9)], 12, spread);
    assert_eq!(tasks_by(&sim, |task| task.instance.0), BTreeMap::from([(1, 3), (2, 3), (3, 6)]));
    scale(&mut sim, 8);
    assert_eq!(tasks_by(&sim, |task| task.instance.0), BTreeMap::from([(1, 2), (2, 2), (3, 4)]));
}

#[test]
fn without_a_strategy_the_availability_zones_stay_even() {
    let mut sim = running(&[("a", 9), ("a", 9), ("a", 9), ("b", 9)], 8, vec![]);
    assert_eq!(tasks_by(&sim, |task| task.instance.0), BTreeMap::from([(1, 2), (2, 2), (3, 2), (4, 2)]));
    scale(&mut sim, 4);
    assert_eq!(by_zone(&sim), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 2)]));
}

#[test]
fn what_is_packed_leaves_the_emptiest_instance_first() {
    let packed = vec![strategy(StrategyKind::Binpack, "memory")];
    let mut sim = running(&[("a", 3), ("a", 4), ("a", 5)], 9, packed);
    assert_eq!(tasks_by(&sim, |task| task.instance.0), BTreeMap::from([(1, 3), (2, 4), (3, 2)]));
    scale(&mut sim, 7);
    assert_eq!(tasks_by(&sim, |task| task.instance.0), BTreeMap::from([(1, 3), (2, 4)]));
    scale(&mut sim, 5);
    assert_eq!(tasks_by(&sim, |task| task.instance.0).len(), 2);
    scale(&mut sim, 3);
    assert_eq!(tasks_by(&sim, |task| task.instance.0).len(), 1, "one after the other is emptied");
}

#[test]
fn a_protected_task_counts_where_it_is() {
    let spread = vec![strategy(StrategyKind::Spread, "attribute:zone")];
    let mut sim = running(&[("a", 9), ("b", 9)], 4, spread);
    let kept: Vec<TaskId> =
        sim.live().into_iter().filter(|id| sim.world.task(*id).unwrap().instance == InstanceId(1)).collect();
    sim.run(Command::ProtectTasks {
        cluster: cluster(),
        tasks: kept,
        until_ms: Some(sim.now_ms + 1_000_000_000),
    });
    scale(&mut sim, 3);
    assert_eq!(by_zone(&sim), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// One at a time or all at once: each that goes is from where most are.
    #[test]
    fn each_goes_from_where_most_are(
        zones in prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), 2..6i64), 2..6),
        desired in 2..9u32,
        less in 1..9u32,
    ) {
        let room: i64 = zones.iter().map(|(_, room)| room).sum();
        let desired = desired.min(room as u32);
        let spread = vec![strategy(StrategyKind::Spread, "attribute:zone")];
        let mut sim = running(&zones, desired, spread);
        let mut before = by_zone(&sim);
        let to = desired.saturating_sub(less);
        sim.update(ServiceChange { desired_count: Some(to), ..Default::default() });
        let plan = sim.tick();
        for (task, why) in &plan.stops {
            prop_assert_eq!(*why, StopReason::ScaleIn);
            let instance = sim.world.task(*task).unwrap().instance;
            let zone = sim.world.instance(instance).unwrap().attribute("zone").unwrap().value.clone().unwrap();
            let most = before.values().copied().max().unwrap();
            prop_assert_eq!(before[&*zone], most, "{} of {:?}", zone, before);
            *before.get_mut(&*zone).unwrap() -= 1;
        }
        prop_assert_eq!(plan.stops.len() as u32, desired - to);
    }
}
