//! DAEMON services: one task on each instance that meets the constraints, and room for it.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::reconcile::Counts;
use plan::schedule::{FailureReason, Rules, Want, place};
use proptest::prelude::*;
use std::collections::BTreeSet;
use support::*;

fn on_machines(number: u64, family: &str) -> NewDeployment {
    NewDeployment { launch_type: LaunchType::Ec2, ..deployment(number, family) }
}

fn daemon(minimum: u32) -> NewService {
    NewService {
        scheduling: SchedulingStrategy::Daemon,
        deployment: Some(on_machines(1, "one")),
        ..service(0, minimum, 100)
    }
}

/// Machines of the cluster, each with room for so many tasks.
fn machines(count: u128, room: i64) -> Sim {
    let mut sim = Sim::new(0, 0);
    (1..=count).for_each(|id| join(&mut sim, id, room));
    sim
}

fn join(sim: &mut Sim, id: u128, room: i64) {
    sim.join(instance(id, Home::Cluster(cluster()), Size::new(256 * room, 512 * room)));
}

fn mark(sim: &mut Sim, id: u128, on: bool) {
    let (cluster, id, name) = (cluster(), InstanceId(id), "rack");
    sim.run(match on {
        true => {
            let attribute = Attribute { name: name.into(), value: Some("r1".into()) };
            Command::PutAttributes { cluster, attributes: vec![(id, attribute)] }
        }
        false => Command::DeleteAttributes { cluster, names: vec![(id, name.into())] },
    });
}

/// Where its wanted tasks are.
fn places(sim: &Sim) -> Vec<u128> {
    let service = key();
    let wanted = sim.world.live_tasks_of(&service).filter(|task| task.is_wanted());
    let mut places: Vec<u128> = wanted.map(|task| task.instance.0).collect();
    places.sort_unstable();
    places
}

fn in_rack() -> Vec<PlacementConstraint> {
    vec![PlacementConstraint {
        kind: ConstraintKind::MemberOf,
        expression: Some("attribute:rack == r1".into()),
    }]
}

#[test]
fn each_instance_has_one_and_each_newcomer_gets_one() {
    let mut sim = machines(2, 4).with(daemon(0));
    sim.come_to_rest();
    assert_eq!((places(&sim), sim.service().desired_count), (vec![1, 2], 2));
    join(&mut sim, 3, 4);
    sim.come_to_rest();
    assert_eq!(places(&sim), [1, 2, 3]);
    sim.run(Command::DeregisterInstance { id: InstanceId(2), force: true });
    sim.come_to_rest();
    assert_eq!((places(&sim), sim.service().desired_count), (vec![1, 3], 2));
    assert_eq!(sim.service().primary().unwrap().desired_count, 2);
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::Successful);
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has started 1 tasks: (task #3).
    (service web) has reached a steady state.
    "#);
}

#[test]
fn constraints_say_where_also_when_they_or_the_instances_change() {
    let mut sim = machines(3, 4);
    mark(&mut sim, 1, true);
    sim = sim.with(NewService { placement_constraints: in_rack(), ..daemon(0) });
    sim.come_to_rest();
    assert_eq!(places(&sim), [1]);
    mark(&mut sim, 2, true);
    mark(&mut sim, 1, false);
    sim.come_to_rest();
    assert_eq!(places(&sim), [2]);
    sim.update(ServiceChange { placement_constraints: Some(vec![]), ..Default::default() });
    sim.come_to_rest();
    assert_eq!(places(&sim), [1, 2, 3]);
    assert!(sim.service().steady);
}

#[test]
fn a_new_definition_takes_the_places_of_the_old_within_the_bound() {
    let mut sim = machines(4, 1).with(daemon(50));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(on_machines(2, "two")), ..Default::default() });
    let mut fewest = 4;
    for _ in 0..20 {
        sim.settle();
        fewest = fewest.min(sim.healthy());
        sim.obey();
    }
    assert_eq!(fewest, 2);
    assert!(sim.world.live_tasks_of(&key()).all(|task| task.definition.family.as_str() == "two"));
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 4 tasks: (task #1) (task #2) (task #3) (task #4).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has stopped 2 running tasks: (task #2) (task #4).
    (service web) has started 2 tasks: (task #5) (task #6).
    (service web) has stopped 2 running tasks: (task #1) (task #3).
    (service web) has started 2 tasks: (task #7) (task #8).
    (service web) (deployment ecs-svc/2) deployment completed.
    (service web) has reached a steady state.
    "#);
}

#[test]
fn a_bound_that_leaves_no_step_is_told() {
    let mut sim = machines(1, 4).with(daemon(50));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(on_machines(2, "two")), ..Default::default() });
    sim.come_to_rest();
    assert!(sim.story().ends_with("maximumPercent value and try again."), "{}", sim.story());
    assert_eq!(sim.healthy(), 1);
}

#[test]
fn what_does_not_hold_is_rolled_back_place_by_place() {
    let breaker = Breaker { enable: true, rollback: true, ..Breaker::default() };
    let mut sim = machines(3, 1).with(NewService { breaker, ..daemon(0) });
    sim.come_to_rest();
    sim.now_ms += 20_000;
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(on_machines(2, "two")), ..Default::default() });
    for _ in 0..20 {
        sim.settle();
        for id in sim.live() {
            let two = sim.world.task(id).unwrap().definition.family.as_str() == "two";
            if two { sim.fail(id, Some("CannotPullContainerError: no")) } else { sim.progress(id) }
        }
        sim.now_ms += 10_000;
    }
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackSuccessful, "{}", sim.story());
    assert_eq!(places(&sim), [1, 2, 3]);
    assert!(sim.world.live_tasks_of(&key()).all(|task| task.definition.family.as_str() == "one"));
}

#[test]
fn it_is_the_last_to_leave_an_instance_that_drains() {
    let mut sim = machines(2, 4).with(daemon(0));
    sim.come_to_rest();
    sim.run(Command::StartTasks { tasks: vec![task(7, 1)], token: None });
    sim.progress(TaskId(7));
    sim.drain(InstanceId(1), true);
    sim.come_to_rest();
    assert_eq!((places(&sim), sim.service().desired_count), (vec![1, 2], 1));
    assert!(sim.service().steady, "it waits for nothing of its own");
    let (code, reason) = (StopCode::UserInitiated, "enough".into());
    sim.run(Command::StopTask { cluster: cluster(), task: TaskId(7), code, reason });
    sim.now_ms += 1;
    sim.come_to_rest();
    assert_eq!(places(&sim), [1, 2], "the other is there still");
    sim.progress(TaskId(7));
    let stopped = Event::TaskMoved { task: TaskId(7), status: TaskStatus::Stopped, at_ms: sim.now_ms };
    assert_eq!(plan::reconcile::concerned(&sim.world, &[stopped]), [key()].into());
    sim.come_to_rest();
    assert_eq!(places(&sim), [2]);
    sim.drain(InstanceId(1), false);
    sim.come_to_rest();
    assert_eq!(places(&sim), [1, 2]);
}

#[test]
fn its_room_is_kept_free_for_it() {
    // Its agent is not there yet, so neither is the daemon's task.
    let mut sim = machines(1, 2).with(daemon(0));
    let want = Want {
        cluster: cluster(),
        definition: DefinitionRef { family: "two".into(), revision: Revision(1) },
        launch_type: LaunchType::Ec2,
        size: None,
        gpus: None,
        capacity_provider: None,
    };
    let wants = vec![want; 2];
    let two = |sim: &Sim| place(&sim.world, &wants, &Rules::default(), 1);
    let placement = two(&sim);
    assert_eq!(placement.placed.len(), 1, "one place of two is the daemon's");
    assert_eq!(placement.failures[0].reason, FailureReason::Cpu);
    sim.come_to_rest();
    assert_eq!(two(&sim).placed.len(), 1, "which it has taken");
    sim.run(Command::DeleteService { key: key(), force: false });
    sim.come_to_rest();
    assert_eq!(two(&sim).placed.len(), 2);
}

#[test]
fn an_instance_without_room_is_told_and_tried_again() {
    let mut sim = machines(1, 1);
    sim.run(Command::StartTasks { tasks: vec![task(7, 1)], token: None });
    sim.progress(TaskId(7));
    sim = sim.with(daemon(0));
    sim.come_to_rest();
    assert_eq!(sim.story().matches("has insufficient CPU units available").count(), 1, "told once");
    assert!(sim.wake_at_ms.is_some());
    sim.fail(TaskId(7), None);
    sim.come_to_rest();
    assert_eq!(places(&sim), [1]);
}

#[derive(Debug, Clone)]
enum Act {
    Plan,
    Progress(usize),
    Fail(usize),
    Deploy,
    Drain(u128, bool),
    Mark(u128, bool),
    Join(u128),
    Leave(u128),
    Later(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    let machine = 1..5u128;
    prop_oneof![
        8 => Just(Act::Plan),
        8 => any::<usize>().prop_map(Act::Progress),
        1 => any::<usize>().prop_map(Act::Fail),
        1 => Just(Act::Deploy),
        1 => (machine.clone(), any::<bool>()).prop_map(|(id, on)| Act::Drain(id, on)),
        1 => (machine.clone(), any::<bool>()).prop_map(|(id, on)| Act::Mark(id, on)),
        1 => (5..8u128).prop_map(Act::Join),
        1 => machine.prop_map(Act::Leave),
        2 => (1..20_000u64).prop_map(Act::Later),
    ]
}

/// ACTIVE ones with the attribute.
fn members(sim: &Sim) -> BTreeSet<InstanceId> {
    let belongs = |i: &&std::sync::Arc<ContainerInstance>| {
        i.status == InstanceStatus::Active && i.attribute("rack").is_some()
    };
    sim.world.all_instances().filter(belongs).map(|i| i.id).collect()
}

/// Never two on one instance, none placed where it doesn't belong, and no stop of a healthy one that belongs takes
/// the healthy below the bound.
fn plan_within_bounds(sim: &mut Sim, minimum: u32) {
    let members = members(sim);
    let healthy = |sim: &Sim| {
        let good = |task: &&std::sync::Arc<Task>| task.is_healthy() && members.contains(&task.instance);
        sim.world.live_tasks_of(&key()).filter(good).count()
    };
    let before = healthy(sim);
    let plan = sim.tick();
    for task in plan.step.iter().flat_map(|step| &step.starts) {
        assert!(members.contains(&task.instance));
    }
    let counts = Counts { desired: members.len() as u32, minimum_percent: minimum, ..Counts::default() };
    let after = healthy(sim);
    assert!(after >= before.min(counts.lower_bound() as usize), "{after} healthy of {before}");
    let places = places(sim);
    assert!(places.windows(2).all(|pair| pair[0] != pair[1]), "{places:?}");
}

fn act(sim: &mut Sim, act: Act, deployments: &mut u64, minimum: u32) {
    let live = sim.live();
    let pick = |n: usize| (!live.is_empty()).then(|| live[n % live.len()]);
    let active = |sim: &Sim, id| {
        sim.world.instance(InstanceId(id)).is_some_and(|i| i.status != InstanceStatus::Inactive)
    };
    match act {
        Act::Plan => plan_within_bounds(sim, minimum),
        Act::Progress(n) => pick(n).into_iter().for_each(|id| sim.progress(id)),
        Act::Fail(n) => pick(n).into_iter().for_each(|id| sim.fail(id, None)),
        Act::Deploy => {
            *deployments += 1;
            let family = ["one", "two", "three"][(*deployments % 3) as usize];
            let deployment = Some(on_machines(*deployments, family));
            sim.update(ServiceChange { deployment, ..Default::default() });
        }
        Act::Drain(id, on) if active(sim, id) => sim.drain(InstanceId(id), on),
        Act::Mark(id, on) if active(sim, id) => mark(sim, id, on),
        Act::Join(id) if sim.world.instance(InstanceId(id)).is_none() => {
            join(sim, id, 2);
            mark(sim, id, true);
        }
        Act::Leave(id) => {
            sim.run(Command::DeregisterInstance { id: InstanceId(id), force: true });
        }
        Act::Drain(..) | Act::Mark(..) | Act::Join(_) => {}
        Act::Later(ms) => sim.now_ms += ms,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_on_each_and_rest_comes(
        minimum in prop::sample::select(vec![0, 50, 75]),
        acts in prop::collection::vec(any_act(), 1..120),
    ) {
        let mut sim = machines(4, 2);
        (1..=4).for_each(|id| mark(&mut sim, id, true));
        sim = sim.with(NewService { placement_constraints: in_rack(), ..daemon(minimum) });
        let mut deployments = 1;
        for next in acts {
            act(&mut sim, next, &mut deployments, minimum);
        }
        for _ in 0..100 {
            plan_within_bounds(&mut sim, minimum);
            sim.obey();
            sim.now_ms += 4_000;
        }
        let members: Vec<u128> = members(&sim).into_iter().map(|id| id.0).collect();
        let bound = Counts { desired: members.len() as u32, minimum_percent: minimum, ..Counts::default() };
        if bound.lower_bound() < bound.desired || members.is_empty() {
            prop_assert_eq!(places(&sim), members, "{}", sim.story());
            prop_assert!(sim.service().steady, "{}", sim.story());
            prop_assert_eq!(sim.service().desired_count, bound.desired);
            prop_assert_eq!(sim.service().deployments.len(), 1);
            let before = sim.world.clone();
            sim.settle();
            prop_assert_eq!(&before, &sim.world);
        }
    }
}
