//! Where tasks go, and what is said when they can't.

mod support;

use model::{command::*, *};
use plan::{
    Rules, Shares, Want, place,
    schedule::{Failure, FailureReason},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::*;

fn want(family: &str, launch_type: LaunchType) -> Want {
    let definition = DefinitionRef { family: family.into(), revision: Revision(1) };
    Want { cluster: cluster(), definition, launch_type, size: None, gpus: None, capacity_provider: None }
}

fn fargate(count: usize) -> Vec<Want> {
    vec![want("one", LaunchType::Fargate); count]
}

fn only_failure(sim: &Sim, wants: &[Want]) -> Failure {
    let placement = place(&sim.world, wants, &Rules::default(), 1);
    assert_eq!(placement.failures.len(), 1, "{placement:?}");
    placement.failures[0].clone()
}

#[test]
fn tasks_are_spread() {
    let sim = Sim::new(4, 8);
    let placement = place(&sim.world, &fargate(8), &Rules::default(), 7);
    let mut on: BTreeMap<InstanceId, usize> = BTreeMap::new();
    placement.placed.iter().for_each(|placed| *on.entry(placed.instance).or_default() += 1);
    assert_eq!(on.into_values().collect::<Vec<_>>(), [2, 2, 2, 2]);
    assert_eq!(
        placement.placed.iter().map(|placed| placed.want).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
}

#[test]
fn what_fits_is_placed_and_the_rest_explained() {
    let sim = Sim::new(2, 2);
    let placement = place(&sim.world, &fargate(6), &Rules::default(), 7);
    assert_eq!(placement.placed.len(), 4);
    assert_eq!(placement.failures.iter().map(|failure| failure.want).collect::<Vec<_>>(), [4, 5]);
    let failure = &placement.failures[0];
    assert_eq!(failure.reason, FailureReason::Capacity);
    assert_eq!(failure.closest, None, "FARGATE shows no machines");
    insta::assert_snapshot!(failure.detail, @"of 2 instances: 2 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance");
}

#[test]
fn wants_of_one_call_know_of_each_other() {
    let mut sim = Sim::new(1, 2);
    sim.run(Command::RegisterTaskDefinition(definition("big", Size::new(256, 1024)).into()));
    let wants = [want("one", LaunchType::Fargate), want("big", LaunchType::Fargate)];
    let placement = place(&sim.world, &wants, &Rules::default(), 1);
    assert_eq!((placement.placed.len(), placement.failures.len()), (1, 1));
}

#[test]
fn nobody_there() {
    let mut sim = Sim::new(0, 0);
    insta::assert_snapshot!(only_failure(&sim, &fargate(1)).detail, @"no serverless agent has registered; `longshore agent --serverless` starts one");
    let failure = only_failure(&sim, &[want("one", LaunchType::Ec2)]);
    assert_eq!(failure.reason.as_str(), "No Container Instances were found in your cluster.");
    sim.join(instance(1, Home::Pool, Size::new(1024, 1024)));
    let failure = only_failure(&sim, &[want("one", LaunchType::External)]);
    assert_eq!(failure.reason, FailureReason::NoInstances, "the pool is for FARGATE alone");
    assert_eq!(only_failure(&sim, &[want("none", LaunchType::Fargate)]).reason, FailureReason::Missing);
}

#[test]
fn ecs_reasons_on_a_cluster_of_ones_own() {
    let mut sim = Sim::new(0, 0);
    let home = Home::Cluster(cluster());
    sim.join(instance(1, home.clone(), Size::new(128, 8192)));
    sim.join(instance(2, home.clone(), Size::new(8192, 128)));
    let failure = only_failure(&sim, &[want("one", LaunchType::Ec2)]);
    assert_eq!(failure.reason.as_str(), "RESOURCE:MEMORY");
    assert_eq!(failure.closest, Some(InstanceId(2)));
    assert_eq!(failure.refusals, BTreeMap::from([(FailureReason::Cpu, 1), (FailureReason::Memory, 1)]));
    insta::assert_snapshot!(failure.detail, @"of 2 instances: 1 short of cpu: the task asks for 256 units and 128 are free at most; stop tasks, ask for less, or add an instance; 1 short of memory: the task asks for 512 MiB and 128 MiB are free at most; stop tasks, ask for less, or add an instance");

    sim.run(Command::DropSessions);
    assert_eq!(only_failure(&sim, &[want("one", LaunchType::Ec2)]).reason.as_str(), "AGENT");
}

#[test]
fn another_architecture_is_an_attribute() {
    let mut sim = Sim::new(0, 0);
    let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: Some(value.into()) };
    let x86 = Registration {
        attributes: vec![attribute("ecs.cpu-architecture", "x86_64"), attribute("ecs.os-family", "LINUX")],
        ..instance(1, Home::Pool, Size::new(8192, 8192))
    };
    sim.join(x86);
    for (architecture, places) in [("X86_64", 1), ("ARM64", 0)] {
        let mut new = definition(architecture, Size::new(256, 512));
        new.platform.cpu_architecture = Some(architecture.into());
        sim.run(Command::RegisterTaskDefinition(new.into()));
        let placement = place(&sim.world, &[want(architecture, LaunchType::Fargate)], &Rules::default(), 1);
        assert_eq!(placement.placed.len(), places, "{architecture}");
    }
}

#[test]
fn a_host_port_is_given_once() {
    let mut sim = Sim::new(0, 0);
    let mut new = definition("port", Size::new(256, 512));
    new.network_mode = NetworkMode::Bridge;
    new.containers[0].host_ports = vec![HostPort { port: 80, transport: Transport::Tcp }];
    sim.run(Command::RegisterTaskDefinition(new.into()));
    for id in 1..=2 {
        sim.join(instance(id, Home::Cluster(cluster()), Size::new(8192, 8192)));
    }
    let placement = place(&sim.world, &vec![want("port", LaunchType::Ec2); 3], &Rules::default(), 1);
    assert_eq!(placement.placed.len(), 2);
    assert_eq!(placement.failures[0].reason.as_str(), "RESOURCE:PORTS");
}

fn with_gpus(id: u128, gpus: &[&str]) -> Registration {
    let gpus = gpus.iter().map(|id| (*id).into()).collect();
    Registration { gpus, ..instance(id, Home::Cluster(cluster()), Size::new(8192, 8192)) }
}

#[test]
fn a_gpu_is_given_once() {
    let mut sim = Sim::new(0, 0);
    let mut new = definition("gpus", Size::new(256, 512));
    new.containers[0].gpus = 2;
    sim.run(Command::RegisterTaskDefinition(new.into()));
    sim.join(with_gpus(1, &["a", "b", "c"]));
    sim.join(with_gpus(2, &["a", "b", "c", "d"]));
    sim.join(with_gpus(3, &[]));
    let placement = place(&sim.world, &vec![want("gpus", LaunchType::Ec2); 4], &Rules::default(), 1);
    let places: Vec<u128> = placement.placed.iter().map(|placed| placed.instance.0).collect();
    assert_eq!((places.iter().filter(|id| **id == 1).count(), places.len()), (1, 3), "{places:?}");
    let failure = &placement.failures[0];
    assert_eq!(failure.reason.as_str(), "RESOURCE:GPU");
    insta::assert_snapshot!(failure.detail, @"of 3 instances: 3 short of GPUs: the task asks for 2 and 1 are free at most; stop tasks, ask for less, or add an instance");

    // What an override asks for is what counts.
    let one = Want { gpus: Some(1), ..want("gpus", LaunchType::Ec2) };
    assert_eq!(place(&sim.world, &vec![one; 9], &Rules::default(), 1).placed.len(), 7);
    let none = Want { gpus: Some(0), ..want("gpus", LaunchType::Ec2) };
    assert_eq!(place(&sim.world, &vec![none; 9], &Rules::default(), 1).placed.len(), 9);
}

#[test]
fn a_daemons_gpus_are_kept_free_for_it() {
    let mut sim = Sim::new(0, 0);
    let mut new = definition("gpus", Size::new(256, 512));
    new.containers[0].gpus = 1;
    sim.run(Command::RegisterTaskDefinition(new.into()));
    sim.join(with_gpus(1, &["a", "b"]));
    let of = NewDeployment { launch_type: LaunchType::Ec2, ..deployment(1, "gpus") };
    let daemon =
        NewService { scheduling: SchedulingStrategy::Daemon, deployment: Some(of), ..service(0, 0, 100) };
    let mut sim = sim.with(daemon);
    let two = |sim: &Sim| place(&sim.world, &vec![want("gpus", LaunchType::Ec2); 2], &Rules::default(), 1);
    assert_eq!(two(&sim).placed.len(), 1);
    assert_eq!(two(&sim).failures[0].reason, FailureReason::Gpu);
    sim.settle();
    assert_eq!(sim.world.all_tasks().map(|task| task.gpus().count()).sum::<usize>(), 1);
    assert_eq!(two(&sim).placed.len(), 1, "it has taken its own");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for in one call and in those after it: all that is placed can be started, and no GPU is two
    /// tasks'.
    #[test]
    fn what_is_placed_has_its_gpus(
        machines in prop::collection::vec(0..5usize, 1..4),
        calls in prop::collection::vec((0..4u32, 1..5usize), 1..6),
    ) {
        let mut sim = Sim::new(0, 0);
        for (id, count) in machines.iter().enumerate() {
            sim.join(with_gpus(id as u128 + 1, &["a", "b", "c", "d"][..*count]));
        }
        let mut id = 0;
        for (gpus, count) in calls {
            let want = Want { gpus: Some(gpus as usize), ..want("one", LaunchType::Ec2) };
            let placement = place(&sim.world, &vec![want; count], &Rules::default(), 1);
            let free = |instance: &ContainerInstance| sim.world.free_gpus(instance).count();
            let most = sim.world.all_instances().map(|i| free(i)).max().unwrap_or(0);
            prop_assert!(placement.placed.is_empty() || most >= gpus as usize);
            let tasks = placement.placed.iter().map(|placed| {
                id += 1;
                NewTask { gpus: Some(vec![gpus]), ..task(id, placed.instance.0) }
            });
            let tasks = tasks.collect();
            sim.run(Command::StartTasks { tasks, token: None });
        }
        for instance in sim.world.all_instances() {
            let held: Vec<_> = sim.world.live_tasks_on(instance.id).flat_map(|task| task.gpus()).collect();
            prop_assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len());
        }
    }
}

#[test]
fn addresses_run_out_before_memory() {
    let mut sim = Sim::new(0, 0);
    let narrow = Registration {
        subnet: Some("10.1.0.0/29".parse().unwrap()),
        ..instance(1, Home::Pool, Size::new(81920, 81920))
    };
    sim.join(narrow);
    let placement = place(&sim.world, &fargate(6), &Rules::default(), 1);
    assert_eq!(placement.placed.len(), 5);
    assert_eq!(placement.failures[0].refusals, BTreeMap::from([(FailureReason::Eni, 1)]));
}

fn item(provider: &str, base: u32, weight: u32) -> CapacityStrategyItem {
    CapacityStrategyItem { provider: provider.into(), base, weight }
}

#[test]
fn bases_come_first_then_weights() {
    let strategy = [item("FARGATE", 2, 1), item("FARGATE_SPOT", 0, 3)];
    let mut shares = Shares::new(&strategy, []);
    let given: Vec<_> = (0..10).filter_map(|_| shares.give()).collect();
    let of = |name: &str| given.iter().filter(|provider| ***provider == *name).count();
    assert_eq!((of("FARGATE"), of("FARGATE_SPOT")), (4, 6));
    assert_eq!((&*given[0], &*given[1], &*given[2]), ("FARGATE", "FARGATE", "FARGATE_SPOT"));
}

#[test]
fn what_is_there_counts_and_what_is_of_no_item_does_not() {
    let strategy = [item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 1)];
    let next = |present: &[&str]| Shares::new(&strategy, present.iter().copied()).give();
    assert_eq!(next(&[]).as_deref(), Some("FARGATE"));
    assert_eq!(next(&["FARGATE", "FARGATE"]).as_deref(), Some("FARGATE_SPOT"));
    assert_eq!(next(&["FARGATE_SPOT", "FARGATE_SPOT"]).as_deref(), Some("FARGATE"));
    assert_eq!(next(&["elsewhere", "elsewhere"]).as_deref(), Some("FARGATE"));
}

#[test]
fn without_a_weight_nobody_has_a_provider() {
    assert_eq!(Shares::new(&[], []).give(), None);
    let strategy = [item("FARGATE", 1, 0)];
    let mut shares = Shares::new(&strategy, []);
    assert_eq!(shares.give().as_deref(), Some("FARGATE"));
    assert_eq!(shares.give(), None);
}

#[test]
fn a_capacity_provider_is_of_the_agents_that_say_so() {
    let mut sim = Sim::new(1, 8);
    let names =
        Attribute { name: ContainerInstance::CAPACITY_PROVIDERS.into(), value: Some("walled other".into()) };
    let own = Registration { attributes: vec![names], ..instance(2, Home::Pool, Size::new(1024, 2048)) };
    sim.join(own);
    let on = |provider: Option<&str>| {
        let want = Want { capacity_provider: provider.map(Into::into), ..want("one", LaunchType::Fargate) };
        let placement = place(&sim.world, &[want], &Rules::default(), 1);
        placement.placed.first().map(|placed| placed.instance).ok_or(placement.failures)
    };
    for name in ["walled", "other"] {
        assert_eq!(on(Some(name)), Ok(InstanceId(2)));
    }
    for name in [None, Some("FARGATE"), Some("FARGATE_SPOT")] {
        assert_eq!(on(name), Ok(InstanceId(1)), "who says nothing is of both that exist already");
    }
    let failure = on(Some("third")).unwrap_err().remove(0);
    assert_eq!(failure.reason, FailureReason::Capacity);
    insta::assert_snapshot!(failure.detail, @"of 2 instances: 2 of other capacity providers; `longshore agent --serverless --capacity-provider third` starts one");
}
