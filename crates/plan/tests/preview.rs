//! What would happen is what happens then.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::preview::{self, Change, End};
use proptest::prelude::*;
use support::*;

const BREAKER: Breaker = Breaker {
    enable: true,
    rollback: true,
    reset_on_healthy: true,
    threshold: Threshold { kind: ThresholdKind::BoundedPercent, value: 50 },
};

fn to(family: &str) -> ServiceChange {
    ServiceChange { deployment: Some(deployment(2, family)), ..ServiceChange::default() }
}

fn scaled(count: u32) -> ServiceChange {
    ServiceChange { desired_count: Some(count), ..ServiceChange::default() }
}

/// All that runs holds, and time has gone by.
fn steady(instances: u128, room: i64, service: NewService) -> Sim {
    let mut sim = Sim::new(instances, room).with(service);
    for _ in 0..3 {
        sim.come_to_rest();
        sim.now_ms += 10_000;
    }
    sim.come_to_rest();
    sim
}

/// What the change would do, in words; the world stays as it is.
fn told(sim: &Sim, change: ServiceChange) -> String {
    let mut world = sim.world.clone();
    let update =
        Command::UpdateService { key: key(), expected_version: sim.service().version, change: change.into() };
    transact(&mut world, &update, sim.now_ms).unwrap();
    let preview = preview::run(&world, &key(), sim.now_ms, 7).unwrap();
    let change = Change { before: sim.service(), after: world.service(&key()).unwrap() };
    preview::text(change, &preview)
}

#[test]
fn a_rolling_update() {
    let sim = steady(2, 8, service(4, 100, 200));
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 4 tasks as before.
    While tasks are replaced: never fewer than 4 healthy, never more than 8 at once (100 to 200 percent).

      1. start 4 tasks of two:1
      2. wait for 4 tasks to be healthy
      3. stop 4 tasks of one:1
      4. wait for 4 tasks to end

    Then the service is steady with 4 tasks. 4 started, 4 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn in_batches_where_the_percents_leave_little() {
    let sim = steady(2, 8, service(4, 50, 100));
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 4 tasks as before.
    While tasks are replaced: never fewer than 2 healthy, never more than 4 at once (50 to 100 percent).

      1. start 2 tasks of two:1; stop 2 tasks of one:1
      2. wait for 2 tasks to be healthy and 2 tasks to end
      3. start 2 tasks of two:1; stop 2 tasks of one:1
      4. wait for 2 tasks to be healthy and 2 tasks to end

    Then the service is steady with 4 tasks. 4 started, 4 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn the_breaker_has_to_see_that_tasks_hold() {
    let sim = steady(2, 8, NewService { breaker: BREAKER, ..service(2, 100, 150) });
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 2 tasks as before.
    While tasks are replaced: never fewer than 2 healthy, never more than 3 at once (100 to 150 percent).

      1. start 1 task of two:1
      2. wait for 1 task to be healthy
      3. wait 10 s for the new tasks to hold: the circuit breaker watches
      4. start 1 task of two:1; stop 1 task of one:1
      5. wait for 1 task to be healthy and 1 task to end
      6. wait 10 s for the new tasks to hold: the circuit breaker watches
      7. stop 1 task of one:1
      8. wait for 1 task to end

    Then the service is steady with 2 tasks. 2 started, 2 stopped.
    If 3 tasks fail on the way, it is given up and goes back to one:1 (ecs-svc/1).
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn scaling_out_beyond_what_there_is_room_for() {
    let sim = steady(1, 3, service(1, 100, 200));
    assert_snapshot!(told(&sim, scaled(5)), @"
    web (cluster default) goes on with one:1, with 5 tasks instead of 1.

      1. start 2 tasks of one:1
      2. no room for 2 tasks: of 1 instance: 1 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance
      3. wait for 2 tasks to be healthy

    It goes no further: there is no room for 2 tasks. 2 started, 0 stopped.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn without_room_beside_the_old() {
    let sim = steady(1, 2, service(2, 50, 200));
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 2 tasks as before.
    While tasks are replaced: never fewer than 1 healthy, never more than 4 at once (50 to 200 percent).

      1. stop 1 task of one:1
      2. no room for 2 tasks: of 1 instance: 1 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance
      3. wait for 1 task to end
      4. start 1 task of two:1
      5. no room for 1 task
      6. wait for 1 task to be healthy
      7. stop 1 task of one:1
      8. wait for 1 task to end
      9. start 1 task of two:1
     10. wait for 1 task to be healthy

    Then the service is steady with 2 tasks. 2 started, 2 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
    let sim = steady(1, 2, service(2, 100, 200));
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 2 tasks as before.
    While tasks are replaced: never fewer than 2 healthy, never more than 4 at once (100 to 200 percent).

      1. no room for 2 tasks: of 1 instance: 1 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance

    It goes no further: there is no room for 2 tasks. 0 started, 0 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn percents_that_leave_no_step() {
    let sim = steady(1, 8, service(1, 100, 150));
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 1 task as before.
    While tasks are replaced: never fewer than 1 healthy, never more than 1 at once (100 to 150 percent).

         nothing to start or to stop

    It goes no further: the percents leave no step. A lower minimumHealthyPercent or a higher maximumPercent would leave one. 0 started, 0 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn scaling_in_and_to_nothing_and_no_change() {
    let sim = steady(1, 8, service(3, 100, 200));
    assert_snapshot!(told(&sim, scaled(1)), @"
    web (cluster default) goes on with one:1, with 1 task instead of 3.

      1. stop 2 tasks of one:1
      2. wait for 2 tasks to end

    Then the service is steady with 1 task. 0 started, 2 stopped.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
    assert_snapshot!(told(&sim, scaled(0)), @"
    web (cluster default) goes on with one:1, with 0 tasks instead of 3.

      1. stop 3 tasks of one:1
      2. wait for 3 tasks to end

    Then the service is steady with 0 tasks. 0 started, 3 stopped.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
    assert_snapshot!(told(&sim, ServiceChange::default()), @"
    web (cluster default) is left as it is: 3 tasks of one:1.

         nothing to start or to stop

    Then the service is steady with 3 tasks. 0 started, 0 stopped.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn protected_tasks_are_waited_for() {
    let mut sim = steady(1, 8, service(1, 100, 200));
    let until_ms = Some(sim.now_ms + 600_000);
    sim.run(Command::ProtectTasks { cluster: cluster(), tasks: sim.live(), until_ms });
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 1 task as before.
    While tasks are replaced: never fewer than 1 healthy, never more than 2 at once (100 to 200 percent).

      1. start 1 task of two:1
      2. wait for 1 task to be healthy
      3. wait 600 s for the protection of tasks to end
      4. stop 1 task of one:1
      5. wait for 1 task to end

    Then the service is steady with 1 task. 1 started, 1 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn after_a_deployment_that_failed_nothing_starts() {
    let breaker = Breaker { threshold: Threshold { kind: ThresholdKind::Count, value: 1 }, ..BREAKER };
    let mut sim = Sim::new(1, 8).with(NewService { breaker, ..service(1, 100, 200) });
    sim.settle();
    sim.fail(sim.live()[0], Some("CannotPullContainerError"));
    sim.settle();
    assert_snapshot!(told(&sim, scaled(3)), @"
    web (cluster default) goes on with one:1, with 3 tasks instead of 1.

         nothing to start or to stop

    It starts nothing more: its deployment has failed. A new deployment is the way on. 0 started, 0 stopped.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
    assert_snapshot!(told(&sim, to("two")), @"
    web (cluster default) goes from one:1 to two:1, with 1 task as before.
    While tasks are replaced: never fewer than 1 healthy, never more than 2 at once (100 to 200 percent).

      1. start 1 task of two:1
      2. wait for 1 task to be healthy
      3. wait 10 s for the new tasks to hold: the circuit breaker watches

    Then the service is steady with 1 task. 1 started, 0 stopped.
    If 1 task fails on the way, it is given up, and the service stays as it is then.
    Assumed: new tasks start and stay healthy, and nothing else changes meanwhile.
    ");
}

#[test]
fn tasks_with_a_health_check_become_healthy() {
    let mut sim = steady(1, 8, service(1, 100, 200));
    let mut checked = definition("checked", Size::new(256, 512));
    checked.containers[0].health_checked = true;
    sim.run(Command::RegisterTaskDefinition(checked.into()));
    let told = told(&sim, to("checked"));
    assert!(told.contains("Then the service is steady with 1 task. 1 started, 1 stopped."), "{told}");
}

#[test]
fn a_service_that_is_gone_has_no_future() {
    let mut sim = steady(1, 8, service(1, 100, 200));
    assert_eq!(preview::run(&sim.world, &cluster().service("none"), sim.now_ms, 1), None);
    sim.run(Command::DeleteService { key: key(), force: true });
    sim.come_to_rest();
    assert_eq!(preview::run(&sim.world, &key(), sim.now_ms, 1), None);
}

/// Lets the planner and the agents really do it, each agent when it pleases; tasks started and stopped.
fn really(sim: &mut Sim, picks: &[usize]) -> (u32, u32) {
    let (mut started, mut stopped) = (0, 0);
    let mut picks = picks.iter().cycle();
    for _ in 0..2_000 {
        let plan = sim.tick();
        stopped += plan.stops.len() as u32;
        started += plan.step.map_or(0, |step| step.starts.len() as u32);
        let on_its_way = |id: &TaskId| {
            let task = sim.world.task(*id).unwrap();
            task.desired_status == DesiredStatus::Stopped || task.last_status < TaskStatus::Running
        };
        let open: Vec<TaskId> = sim.live().into_iter().filter(on_its_way).collect();
        if !open.is_empty() {
            sim.progress(open[picks.next().unwrap() % open.len()]);
        }
        sim.now_ms += 1_000;
    }
    (started, stopped)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_it_says_is_what_then_happens(
        desired in 0..6u32,
        then in 0..6u32,
        percents in prop::sample::select(vec![(100, 200), (50, 100), (0, 100), (50, 150), (75, 125), (100, 150)]),
        room in 3..8i64,
        breaker: bool,
        deploys: bool,
        picks in prop::collection::vec(any::<usize>(), 1..50),
    ) {
        let breaker = Breaker { enable: breaker, ..BREAKER };
        let mut sim = steady(2, room, NewService { breaker, ..service(desired, percents.0, percents.1) });
        let deployment = deploys.then(|| deployment(2, "two"));
        sim.update(ServiceChange { desired_count: Some(then), deployment, ..ServiceChange::default() });
        let before = sim.world.clone();
        let preview = preview::run(&sim.world, &key(), sim.now_ms, 1).unwrap();
        prop_assert_eq!(&before, &sim.world);
        let again = preview::run(&sim.world, &key(), sim.now_ms, 1).unwrap();
        prop_assert_eq!(&preview, &again);
        let happened = really(&mut sim, &picks);
        prop_assert_eq!((preview.started, preview.stopped), happened, "{:?} {}", preview, sim.story());
        prop_assert_eq!(preview.end == End::Steady, sim.service().steady, "{:?} {}", preview.end, sim.story());
    }
}
