//! Placement constraints and strategies: each placement of a call is held against a slow and simple reading of ECS's
//! rules.

mod support;

use model::{command::*, *};
use plan::{
    Rules, Want, place,
    schedule::{FailureReason, Field, MOST_STRATEGIES, Resource, Strategy as By},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::*;

/// An instance with room for `room` tasks, and `more` MiB that no task asks for.
#[derive(Debug, Clone)]
struct Machine {
    zone: Option<&'static str>,
    rack: &'static str,
    room: i64,
    more: i64,
    /// Tasks of the group that it has already.
    has: i64,
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute { name: name.into(), value: Some(value.into()) }
}

fn constraint(expression: &str) -> PlacementConstraint {
    PlacementConstraint { kind: ConstraintKind::MemberOf, expression: Some(expression.into()) }
}

fn distinct() -> PlacementConstraint {
    PlacementConstraint { kind: ConstraintKind::DistinctInstance, expression: None }
}

fn strategy(kind: StrategyKind, field: &str) -> PlacementStrategy {
    PlacementStrategy { kind, field: Some(field.into()) }
}

fn wants(count: usize) -> Vec<Want> {
    let definition = DefinitionRef { family: "one".into(), revision: Revision(1) };
    let want = Want {
        cluster: cluster(),
        definition,
        launch_type: LaunchType::Ec2,
        size: None,
        gpus: None,
        capacity_provider: None,
    };
    vec![want; count]
}

fn group() -> Group {
    Group::from("databases")
}

fn rules(constraints: &[PlacementConstraint], strategies: &[PlacementStrategy]) -> Rules {
    Rules { group: Some((cluster(), group())), ..Rules::of(constraints, strategies) }
}

/// A cluster of these machines; their ids are 1, 2, ….
fn site(machines: &[Machine]) -> Sim {
    let mut sim = Sim::new(0, 0);
    let mut next = 0;
    for (index, machine) in machines.iter().enumerate() {
        let rooms = machine.room + machine.has;
        let total = Size::new(256 * rooms, 512 * rooms + machine.more);
        let mut attributes = vec![attribute("rack", machine.rack)];
        attributes.extend(machine.zone.map(|zone| attribute("zone", zone)));
        let home = Home::Cluster(cluster());
        sim.join(Registration { attributes, ..instance(index as u128 + 1, home, total) });
        for _ in 0..machine.has {
            next += 1;
            start(&mut sim, next, index as u128 + 1);
        }
    }
    sim
}

fn new_task(id: u128, on: u128) -> NewTask {
    NewTask { group: Some(group()), ..task(id, on) }
}

fn start(sim: &mut Sim, id: u128, on: u128) {
    sim.run(Command::StartTasks { tasks: vec![new_task(id, on)], token: None });
}

fn machine(zone: &'static str, rack: &'static str, room: i64) -> Machine {
    Machine { zone: Some(zone), rack, room, more: 0, has: 0 }
}

fn placed_on(sim: &Sim, count: usize, rules: &Rules) -> Vec<usize> {
    let placement = place(&sim.world, &wants(count), rules, 7);
    placement.placed.iter().map(|placed| placed.instance.0 as usize - 1).collect()
}

#[test]
fn zones_first_then_the_fullest_machine() {
    let sim = site(&[machine("a", "1", 2), machine("a", "1", 5), machine("b", "1", 3), machine("b", "1", 9)]);
    let rules = rules(
        &[],
        &[strategy(StrategyKind::Spread, "attribute:zone"), strategy(StrategyKind::Binpack, "memory")],
    );
    let on = placed_on(&sim, 6, &rules);
    let count = |machine: usize| on.iter().filter(|one| **one == machine).count();
    assert_eq!([count(0), count(1), count(2), count(3)], [2, 1, 3, 0]);
}

#[test]
fn packed_on_what_is_in_use_where_an_idle_machine_has_as_little_left() {
    // The idle one would be the emptier.
    let idle = machine("a", "1", 4);
    let in_use = Machine { has: 4, ..idle.clone() };
    for machines in [[idle.clone(), in_use.clone()], [in_use, idle]] {
        let sim = site(&machines);
        let used = machines.iter().position(|machine| machine.has > 0).unwrap();
        for resource in ["cpu", "memory"] {
            let rules = rules(&[], &[strategy(StrategyKind::Binpack, resource)]);
            assert_eq!(placed_on(&sim, 1, &rules), [used], "{resource}");
        }
        assert_eq!(placed_on(&sim, 1, &rules(&[], &[])), [1 - used], "without a strategy the emptiest");
    }
}

#[test]
fn a_constraint_binds_and_a_failure_names_it() {
    let sim = site(&[machine("a", "1", 1), machine("b", "1", 9)]);
    let only_a = rules(&[constraint("attribute:zone == a")], &[]);
    let placement = place(&sim.world, &wants(2), &only_a, 1);
    assert_eq!(placement.placed.len(), 1);
    let failure = &placement.failures[0];
    assert_eq!(failure.reason, FailureReason::Cpu, "the instance that comes closest is a member, but full");
    insta::assert_snapshot!(failure.detail, @"of 2 instances: 1 excluded by `attribute:zone == a`; widen the constraint, or put the attributes on an instance; 1 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance");
    let nobody = rules(&[constraint("attribute:zone == c")], &[]);
    let failure = place(&sim.world, &wants(1), &nobody, 1).failures.remove(0);
    assert_eq!(failure.reason.as_str(), "MemberOf placement constraint unsatisfied.");
    insta::assert_snapshot!(failure.detail, @"of 2 instances: 2 excluded by `attribute:zone == c`; widen the constraint, or put the attributes on an instance");
}

#[test]
fn the_definition_s_constraint_binds_too() {
    let mut sim = site(&[machine("a", "1", 9), machine("b", "1", 9)]);
    let bound =
        NewDefinition { member_of: vec!["attribute:zone == b".into()], ..definition("one", Size::new(1, 1)) };
    sim.run(Command::RegisterTaskDefinition(bound.into()));
    let mut wants = wants(3);
    wants.iter_mut().for_each(|want| want.definition.revision = Revision(2));
    let placement = place(&sim.world, &wants, &Rules::default(), 1);
    assert!(placement.placed.iter().all(|placed| placed.instance == InstanceId(2)), "{placement:?}");
    assert_eq!(placement.placed.len(), 3);
}

#[test]
fn kept_apart_also_from_what_comes_at_the_same_time() {
    let mut sim = site(&[machine("a", "1", 9), machine("a", "1", 9)]);
    let apart = rules(&[distinct()], &[]);
    let placement = place(&sim.world, &wants(3), &apart, 1);
    assert_eq!(placement.placed.iter().map(|p| p.instance).collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(placement.failures[0].reason.as_str(), "DistinctInstance placement constraint unsatisfied.");
    insta::assert_snapshot!(placement.failures[0].detail, @"of 2 instances: 2 with a task of the group already, which distinctInstance keeps apart; add an instance, or drop the constraint");
    // Two calls have planned on the same world: the second finds the place taken.
    let task = |id| NewTask { distinct_instance: true, ..new_task(id, 1) };
    sim.run(Command::StartTasks { tasks: vec![task(50)], token: None });
    let second = Command::StartTasks { tasks: vec![task(51)], token: None };
    let refused = transact(&mut sim.world, &second, sim.now_ms).unwrap_err();
    assert_eq!(refused, Refusal::StaleSnapshot(model::refusal::Stale::Group(InstanceId(1))));
    // One that is asked to stop keeps nobody away any more, though it still runs.
    let (reason, code) = ("over".into(), StopCode::UserInitiated);
    sim.run(Command::StopTask { cluster: cluster(), task: TaskId(50), code, reason });
    sim.run(second);
}

#[test]
fn random_is_fair() {
    let sim = site(&[machine("a", "1", 5000), machine("a", "1", 5000), machine("a", "1", 5000)]);
    let on = placed_on(&sim, 3000, &rules(&[], &[strategy(StrategyKind::Random, "")]));
    let mut counts = [0; 3];
    on.iter().for_each(|machine| counts[*machine] += 1);
    assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    let repeated = on.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((500..1300).contains(&repeated), "it is no round either: {repeated}");
}

#[test]
fn a_service_says_what_keeps_its_tasks_away() {
    let mut sim = site(&[machine("a", "1", 9), machine("b", "1", 9)]);
    let deployment = NewDeployment { launch_type: LaunchType::Ec2, ..deployment(1, "one") };
    let service = NewService {
        deployment: Some(deployment),
        placement_constraints: vec![distinct()],
        placement_strategy: vec![strategy(StrategyKind::Spread, "attribute:zone")],
        ..service(3, 100, 200)
    };
    sim = sim.with(service);
    sim.settle();
    let on: Vec<InstanceId> = sim.world.live_tasks_of(&key()).map(|task| task.instance).collect();
    assert_eq!(on.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(on.len(), 2);
    let told = sim.service().events.iter().any(|event| {
        event.message.contains("encountered error \"DistinctInstance placement constraint unsatisfied.\"")
    });
    assert!(told, "{:?}", sim.service().events);
}

/// What each machine has, as a test counts it.
struct Count {
    machine: Machine,
    room: i64,
    alike: i64,
}

/// The machines of which a call may take any, by ECS's words: each strategy keeps the best of those that the ones
/// before it have left.
fn best(site: &[Count], strategies: &[By], apart: bool, not_in_b: bool) -> BTreeSet<usize> {
    let able = |one: &Count| {
        one.room > 0 && !(apart && one.alike > 0) && !(not_in_b && one.machine.zone == Some("b"))
    };
    let mut left: BTreeSet<usize> = (0..site.len()).filter(|index| able(&site[*index])).collect();
    let value = |index: usize, name: &str| match name {
        "zone" => site[index].machine.zone,
        _ => Some(site[index].machine.rack),
    };
    let mut leading: Vec<&str> = Vec::new();
    let mut leads = true;
    for strategy in strategies {
        let score = |index: usize| match strategy {
            By::Random => 0,
            By::Spread(Field::Instance) => site[index].alike,
            By::Binpack(Resource::Cpu) => 256 * site[index].room,
            By::Binpack(Resource::Memory) => 512 * site[index].room + site[index].machine.more,
            By::Spread(Field::Attribute(name)) => {
                let same = |other: &usize| {
                    value(*other, name) == value(index, name)
                        && (!leads || leading.iter().all(|one| value(*other, one) == value(index, one)))
                };
                (0..site.len()).filter(same).map(|other| site[other].alike).sum()
            }
        };
        let least = left.iter().map(|index| score(*index)).min();
        left.retain(|index| Some(score(*index)) == least);
        match strategy {
            By::Random => return left,
            By::Spread(Field::Attribute(name)) if leads => leading.push(name),
            _ => leads = false,
        }
    }
    left
}

fn machines() -> impl Strategy<Value = Vec<Machine>> {
    let zone = prop_oneof![Just(None), Just(Some("a")), Just(Some("b")), Just(Some("c"))];
    let one = (zone, prop_oneof![Just("1"), Just("2")], 0..5i64, 0..1500i64, 0..3i64)
        .prop_map(|(zone, rack, room, more, has)| Machine { zone, rack, room, more, has });
    prop::collection::vec(one, 1..10)
}

fn strategies() -> impl Strategy<Value = Vec<PlacementStrategy>> {
    let one = prop_oneof![
        Just(strategy(StrategyKind::Random, "")),
        Just(strategy(StrategyKind::Spread, "host")),
        Just(strategy(StrategyKind::Spread, "attribute:zone")),
        Just(strategy(StrategyKind::Spread, "attribute:rack")),
        Just(strategy(StrategyKind::Binpack, "cpu")),
        Just(strategy(StrategyKind::Binpack, "MEMORY")),
    ];
    prop::collection::vec(one, 0..=MOST_STRATEGIES)
}

proptest! {
    #[test]
    fn each_placement_is_a_best_one(
        machines in machines(), strategies in strategies(), apart: bool, not_in_b: bool, count in 1..20usize, seed: u128,
    ) {
        let sim = site(&machines);
        let mut constraints = Vec::new();
        constraints.extend(apart.then(distinct));
        constraints.extend(not_in_b.then(|| constraint("not(attribute:zone == b)")));
        let rules = rules(&constraints, &strategies);
        prop_assert_eq!(rules.strategy.len(), strategies.len());
        let placement = place(&sim.world, &wants(count), &rules, seed);
        let mut counts: Vec<Count> = machines.into_iter()
            .map(|machine| Count { room: machine.room, alike: machine.has, machine })
            .collect();
        let placed: BTreeMap<usize, usize> =
            placement.placed.iter().map(|placed| (placed.want, placed.instance.0 as usize - 1)).collect();
        for want in 0..count {
            let best = best(&counts, &rules.strategy, apart, not_in_b);
            match placed.get(&want) {
                Some(machine) => {
                    prop_assert!(best.contains(machine), "want {} is on {}, not on {:?}", want, machine, best);
                    counts[*machine].room -= 1;
                    counts[*machine].alike += 1;
                }
                None => prop_assert!(best.is_empty(), "want {} has no place, though {:?} would do", want, best),
            }
        }
        prop_assert_eq!(placement.failures.len(), count - placed.len());
        let again = place(&sim.world, &wants(count), &rules, seed);
        prop_assert_eq!(again, placement);
    }
}
