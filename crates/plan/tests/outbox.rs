//! What an agent's session must tell it.

mod support;

use model::{command::*, *};
use plan::Outbox;
use support::*;

/// A world with one connected machine and `count` tasks placed on it.
fn world(count: u128) -> (World, InstanceId) {
    let mut sim = Sim::new(1, 50);
    let one = |id| NewTask { launch_type: LaunchType::Fargate, ..task(id, 1) };
    sim.run(Command::StartTasks { tasks: (1..=count).map(one).collect(), token: None });
    (sim.world, InstanceId(1))
}

fn stop(world: &mut World, id: u128) {
    let (code, reason) = (StopCode::UserInitiated, "enough".into());
    transact(world, &Command::StopTask { cluster: cluster(), task: TaskId(id), code, reason }, 2000).unwrap();
}

fn acknowledge(world: &mut World, instance: InstanceId, tasks: Vec<(TaskId, DesiredStatus)>) {
    transact(world, &Command::AcknowledgePayload { instance, tasks }, 2000).unwrap();
}

#[test]
fn each_task_is_told_once_until_it_is_acknowledged_or_overdue() {
    let (mut world, id) = world(3);
    let instance = world.instance(id).unwrap().clone();
    let mut outbox = Outbox::default();
    let due = outbox.due(&world, &instance, 0);
    assert_eq!(due.concat().len(), 3);
    outbox.sent("m1".into(), due.concat(), 0);
    assert!(outbox.due(&world, &instance, 1).is_empty(), "in flight");
    assert_eq!(outbox.wake_at_ms(), Some(15_000));
    assert_eq!(outbox.due(&world, &instance, 15_000).concat().len(), 3, "overdue");

    outbox.sent("m2".into(), due.concat(), 15_000);
    let told = outbox.acknowledged("m2").unwrap();
    assert!(outbox.due(&world, &instance, 15_000).is_empty(), "the commit is under way");
    acknowledge(&mut world, id, told);
    assert!(outbox.due(&world, &instance, 15_001).is_empty());
    assert_eq!(outbox.acknowledged("m2"), None, "a second ack says nothing new");
}

#[test]
fn an_acknowledgement_that_is_never_committed_is_asked_for_again() {
    let (world, id) = world(1);
    let instance = world.instance(id).unwrap().clone();
    let mut outbox = Outbox::default();
    let due = outbox.due(&world, &instance, 0).concat();
    outbox.sent("m1".into(), due.clone(), 0);
    outbox.acknowledged("m1").unwrap();
    assert_eq!(outbox.wake_at_ms(), Some(15_000));
    assert_eq!(outbox.due(&world, &instance, 15_000), [due]);
    assert_eq!(outbox.wake_at_ms(), None);
}

#[test]
fn a_stop_is_told_though_the_start_is_in_flight_and_goes_first() {
    let (mut world, id) = world(2);
    let instance = world.instance(id).unwrap().clone();
    let mut outbox = Outbox::default();
    let first = outbox.due(&world, &instance, 0).concat();
    outbox.sent("m1".into(), first.clone(), 0);
    acknowledge(&mut world, id, first);
    stop(&mut world, 2);
    assert_eq!(outbox.due(&world, &instance, 1).concat(), [(TaskId(2), DesiredStatus::Stopped)]);

    let mut fresh = Outbox::default();
    let again = fresh.due(&world, &instance, 1).concat();
    let order = [(TaskId(2), DesiredStatus::Stopped), (TaskId(1), DesiredStatus::Running)];
    assert_eq!(again, order, "a new session tells all that lives, stops first");
}

#[test]
fn payloads_are_bounded_and_numbers_grow() {
    let (world, id) = world(25);
    let instance = world.instance(id).unwrap().clone();
    let mut outbox = Outbox::default();
    let sizes: Vec<usize> = outbox.due(&world, &instance, 0).iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
    let numbers: Vec<i64> = (0..4).map(|_| outbox.number(&instance)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
}
