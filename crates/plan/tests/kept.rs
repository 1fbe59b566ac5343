//! Tasks that are protected from scale-in, and tasks on instances that drain.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::reconcile::{StopReason, Wait};
use support::*;

fn protect(sim: &mut Sim, tasks: Vec<TaskId>, minutes: Option<u64>) {
    let until_ms = minutes.map(|minutes| sim.now_ms + minutes * 60_000);
    sim.run(Command::ProtectTasks { cluster: cluster(), tasks, until_ms });
}

fn wanted_on(sim: &Sim, instance: u128) -> usize {
    let tasks = sim.world.live_tasks_on(InstanceId(instance));
    tasks.filter(|task| task.desired_status == DesiredStatus::Running).count()
}

#[test]
fn scale_in_passes_over_protected_tasks() {
    let mut sim = Sim::new(1, 8).with(service(3, 100, 200));
    sim.come_to_rest();
    let all = sim.live();
    protect(&mut sim, vec![all[0], all[1]], Some(1));
    sim.update(ServiceChange { desired_count: Some(1), ..Default::default() });
    sim.come_to_rest();
    assert_eq!(sim.live(), [all[0], all[1]]);
    let plan = sim.look().unwrap();
    assert_eq!((plan.step, plan.waits), (None, vec![Wait::Protected]));
    assert_eq!(plan.wake_at_ms, sim.world.task(all[0]).unwrap().protected_until_ms);
    sim.now_ms = plan.wake_at_ms.unwrap();
    sim.come_to_rest();
    assert_eq!(sim.live().len(), 1);
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 3 tasks: (task #1) (task #2) (task #3).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has stopped 1 running tasks: (task #3).
    (service web) was unable to reach steady state because task set (ecs-svc/1) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks.
    (service web) has stopped 1 running tasks: (task #2).
    (service web) has reached a steady state.
    "#);
}

/// Protection that was acknowledged holds against a plan that was made before.
#[test]
fn a_plan_made_before_the_protection_is_refused() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    sim.come_to_rest();
    sim.update(ServiceChange { desired_count: Some(0), ..Default::default() });
    let step = sim.look().unwrap().step.unwrap();
    assert_eq!(step.stops.len(), 1);
    sim.update(ServiceChange { desired_count: Some(1), ..Default::default() });
    let step = ServiceStep { expected_version: sim.service().version, ..step };
    let task = sim.live()[0];
    protect(&mut sim, vec![task], Some(1));
    let refused = apply(&sim.world, &Command::ServiceStep(step.into()), sim.now_ms);
    assert!(matches!(refused, Err(Refusal::StaleSnapshot(refusal::Stale::Service { .. }))), "{refused:?}");
}

#[test]
fn a_deployment_waits_for_protected_tasks() {
    let mut sim = Sim::new(1, 8).with(service(2, 100, 200));
    sim.come_to_rest();
    let old = sim.live();
    protect(&mut sim, vec![old[0]], Some(10));
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    sim.come_to_rest();
    assert!(sim.live().contains(&old[0]) && !sim.live().contains(&old[1]));
    assert_eq!((sim.live().len(), sim.service().steady), (3, false));
    protect(&mut sim, vec![old[0]], None);
    sim.come_to_rest();
    assert!(!sim.live().contains(&old[0]) && sim.service().steady);
    assert_eq!(sim.service().deployments.len(), 1);
}

/// With no room above the desired count, the new tasks wait with the protected ones.
#[test]
fn protected_tasks_count_against_the_maximum() {
    let mut sim = Sim::new(1, 8).with(service(2, 0, 100));
    sim.come_to_rest();
    let old = sim.live();
    protect(&mut sim, old.clone(), Some(1));
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    sim.come_to_rest();
    assert_eq!(sim.live(), old);
    sim.now_ms += 60_000;
    sim.come_to_rest();
    assert!(sim.service().steady && old.iter().all(|task| !sim.live().contains(task)));
}

#[test]
fn protection_does_not_keep_what_is_unhealthy_stopped_or_of_a_deleted_service() {
    let mut sim = Sim::new(1, 8).with(service(2, 100, 200));
    sim.come_to_rest();
    let tasks = sim.live();
    protect(&mut sim, tasks.clone(), Some(60));
    let stop = Command::StopTask {
        cluster: cluster(),
        task: tasks[0],
        code: StopCode::UserInitiated,
        reason: "enough".into(),
    };
    sim.run(stop);
    sim.come_to_rest();
    assert!(!sim.live().contains(&tasks[0]) && sim.healthy() == 2);
    sim.run(Command::DeleteService { key: key(), force: true });
    sim.come_to_rest();
    assert_eq!(sim.service().status, ServiceStatus::Inactive);
}

#[test]
fn a_service_leaves_an_instance_that_drains() {
    let mut sim = Sim::new(2, 8).with(service(4, 100, 200));
    sim.come_to_rest();
    assert_eq!((wanted_on(&sim, 1), wanted_on(&sim, 2)), (2, 2));
    sim.drain(InstanceId(2), true);
    let plan = sim.tick();
    assert_eq!((plan.step.unwrap().starts.len(), plan.stops.len()), (2, 0), "first the new ones");
    sim.come_to_rest();
    assert_eq!((wanted_on(&sim, 1), wanted_on(&sim, 2), sim.service().steady), (4, 0, true));
    sim.drain(InstanceId(2), false);
    sim.settle();
    assert_eq!(wanted_on(&sim, 2), 0, "nothing moves back");
}

#[test]
fn pending_tasks_on_an_instance_that_drains_stop_at_once() {
    let mut sim = Sim::new(1, 8).with(service(2, 100, 200));
    sim.settle();
    sim.drain(InstanceId(1), true);
    let plan = sim.tick();
    assert!(plan.stops.iter().all(|(_, why)| *why == StopReason::Superseded) && plan.stops.len() == 2);
}

/// Without another place for the tasks, the minimum decides how many leave.
#[test]
fn draining_keeps_to_the_minimum() {
    for (minimum, kept) in [(100, 4), (50, 2), (0, 0)] {
        let mut sim = Sim::new(1, 8).with(service(4, minimum, 200));
        sim.come_to_rest();
        sim.drain(InstanceId(1), true);
        sim.come_to_rest();
        assert_eq!(sim.healthy(), kept, "at {minimum} %");
    }
}
