//! What a service's deployments leave behind, and what becomes of those that a user stops.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use support::*;

const BREAKER: Breaker = Breaker {
    enable: true,
    rollback: true,
    reset_on_healthy: true,
    threshold: Threshold { kind: ThresholdKind::BoundedPercent, value: 50 },
};

fn deploy(sim: &mut Sim, number: u64, family: &str) {
    sim.update(ServiceChange { deployment: Some(deployment(number, family)), ..Default::default() });
}

/// Until all that runs holds.
fn come_to_its_end(sim: &mut Sim) {
    for _ in 0..4 {
        sim.come_to_rest();
        sim.now_ms += 10_000;
    }
    sim.come_to_rest();
}

fn fail_new(sim: &mut Sim, family: &str) {
    for id in sim.live() {
        let task = sim.world.task(id).unwrap();
        if task.definition.family.as_str() == family && task.desired_status == DesiredStatus::Running {
            sim.fail(id, Some("CannotPullContainerError: no such image"));
        }
    }
}

#[test]
fn a_deployment_is_pending_until_its_first_step_and_ends_with_the_last() {
    let mut sim = Sim::new(2, 8).with(service(2, 100, 200));
    assert_snapshot!(sim.history(), @"[] to [1 2/0/0] PENDING");
    assert_eq!(sim.newest().started_at_ms, None);
    sim.now_ms += 500;
    sim.settle();
    assert_snapshot!(sim.history(), @"[] to [1 2/0/2] IN_PROGRESS");
    assert_eq!(sim.newest().started_at_ms, Some(sim.now_ms));
    sim.obey();
    assert_snapshot!(sim.history(), @"[] to [1 2/2/0] IN_PROGRESS");
    sim.settle();
    assert_snapshot!(sim.history(), @"[] to [1 2/2/0] SUCCESSFUL");
    assert_eq!((sim.newest().finished_at_ms, sim.newest().stopped_at_ms), (Some(sim.now_ms), None));
    deploy(&mut sim, 2, "two");
    sim.settle();
    sim.obey();
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] SUCCESSFUL
    [1 0/2/0] to [2 2/2/0] IN_PROGRESS
    ");
    come_to_its_end(&mut sim);
    // Scaling is no deployment, and what is over stays as it was.
    sim.update(ServiceChange { desired_count: Some(3), ..Default::default() });
    come_to_its_end(&mut sim);
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] SUCCESSFUL
    [1 0/0/0] to [2 2/2/0] SUCCESSFUL
    ");
}

#[test]
fn a_service_without_tasks_deploys_at_once() {
    let mut sim = Sim::new(0, 0).with(service(0, 100, 200));
    sim.tick();
    assert_snapshot!(sim.history(), @"[] to [1 0/0/0] SUCCESSFUL");
    assert_eq!(sim.newest().started_at_ms, Some(sim.now_ms));
}

#[test]
fn a_newer_deployment_ends_the_one_before() {
    let mut sim = Sim::new(2, 8).with(service(1, 100, 200));
    come_to_its_end(&mut sim);
    deploy(&mut sim, 2, "two");
    sim.settle();
    deploy(&mut sim, 3, "three");
    deploy(&mut sim, 4, "one");
    come_to_its_end(&mut sim);
    assert_snapshot!(sim.history(), @r"
    [] to [1 1/1/0] SUCCESSFUL
    [1 0/1/0] to [2 1/0/1] STOPPED: Service deployment stopped because a newer service deployment was started.
    [2 0/0/1, 1 0/1/0] to [3 1/0/0] STOPPED: Service deployment stopped because a newer service deployment was started.
    [3 0/0/0, 2 0/0/0, 1 0/0/0] to [4 1/1/0] SUCCESSFUL
    ");
    let third = sim.world.service_deployments(&key()).nth(2).unwrap();
    assert_eq!(third.started_at_ms, None, "it never began");
}

#[test]
fn the_breaker_s_rollback_is_part_of_the_record() {
    let mut sim = Sim::new(2, 8).with(NewService { breaker: BREAKER, ..service(2, 100, 200) });
    come_to_its_end(&mut sim);
    deploy(&mut sim, 2, "two");
    sim.settle();
    fail_new(&mut sim, "two");
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] MONITORING_COMPLETE 0/3 SUCCESSFUL
    [1 0/2/0] to [2 2/0/0] MONITORING 2/3 IN_PROGRESS
    ");
    sim.settle();
    fail_new(&mut sim, "two");
    sim.now_ms += 1_000;
    sim.tick();
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] MONITORING_COMPLETE 0/3 SUCCESSFUL
    [1 2/2/0] to [2 0/0/0] TRIGGERED 4/3 back to 1 ROLLBACK_IN_PROGRESS: Service deployment rolled back because the circuit breaker threshold was exceeded.
    ");
    assert_eq!(sim.newest().rollback.as_ref().unwrap().at_ms, sim.now_ms);
    come_to_its_end(&mut sim);
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] MONITORING_COMPLETE 0/3 SUCCESSFUL
    [1 2/2/0] to [2 0/0/0] TRIGGERED 4/3 back to 1 ROLLBACK_SUCCESSFUL: Service deployment rolled back because the circuit breaker threshold was exceeded.
    ");
}

#[test]
fn a_rollback_that_fails_ends_there() {
    // No room beside the old: what is gone back to has to be started again.
    let mut sim = Sim::new(1, 2).with(NewService { breaker: BREAKER, ..service(2, 0, 100) });
    come_to_its_end(&mut sim);
    deploy(&mut sim, 2, "two");
    for _ in 0..60 {
        sim.settle();
        for id in sim.live() {
            let wanted = sim.world.task(id).unwrap().desired_status == DesiredStatus::Running;
            if wanted { sim.fail(id, Some("CannotPullContainerError")) } else { sim.progress(id) }
        }
        sim.now_ms += 10_000;
    }
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] MONITORING_COMPLETE 0/3 SUCCESSFUL
    [1 2/0/0] to [2 0/0/0] TRIGGERED 4/3 back to 1 ROLLBACK_FAILED: The rollback failed because the circuit breaker threshold was exceeded.
    ");
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Failed);
}

#[test]
fn without_something_to_go_back_to_the_rollback_fails() {
    let mut sim = Sim::new(1, 8).with(NewService { breaker: BREAKER, ..service(3, 100, 200) });
    sim.settle();
    fail_new(&mut sim, "one");
    sim.settle();
    assert_snapshot!(sim.history(), @"[] to [1 3/0/0] TRIGGERED 3/3 back to none ROLLBACK_FAILED: No rollback candidate was found to run the rollback.");
}

#[test]
fn a_breaker_that_doesn_t_roll_back_stops() {
    let breaker = Breaker { rollback: false, ..BREAKER };
    let mut sim = Sim::new(1, 8).with(NewService { breaker, ..service(3, 100, 200) });
    sim.settle();
    fail_new(&mut sim, "one");
    sim.settle();
    assert_snapshot!(sim.history(), @"[] to [1 3/0/0] TRIGGERED 3/3 STOPPED: Service deployment stopped because the circuit breaker threshold was exceeded.");
    assert_eq!(sim.newest().stopped_at_ms, Some(sim.now_ms));
}

#[test]
fn a_user_rolls_back_also_without_a_breaker() {
    let mut sim = Sim::new(2, 8).with(service(2, 100, 200));
    come_to_its_end(&mut sim);
    let stable = sim.live();
    deploy(&mut sim, 2, "two");
    sim.settle();
    sim.stop(StopType::Rollback).unwrap();
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackRequested);
    sim.stop(StopType::Rollback).unwrap();
    sim.tick();
    sim.stop(StopType::Abort).unwrap();
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackInProgress, "it goes on rolling back");
    come_to_its_end(&mut sim);
    assert_eq!(sim.live(), stable);
    assert_snapshot!(sim.history(), @r"
    [] to [1 2/2/0] SUCCESSFUL
    [1 2/2/0] to [2 0/0/0] back to 1 ROLLBACK_SUCCESSFUL: Service deployment rolled back because a user asked for it.
    ");
    assert_snapshot!(sim.story(), @r"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has started 2 tasks: (task #3) (task #4).
    (service web) (deployment ecs-svc/2) deployment failed: it was stopped by a user.
    (service web) rolling back to deployment ecs-svc/1.
    (service web) has stopped 2 running tasks: (task #3) (task #4).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    ");
    let over = Refusal::DeploymentOver("ecs-svc/2".into(), ServiceDeploymentStatus::RollbackSuccessful);
    assert_eq!(sim.stop(StopType::Rollback), Err(over));
}

#[test]
fn a_user_who_rolls_back_the_first_deployment_has_nothing_to_go_back_to() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    sim.stop(StopType::Rollback).unwrap();
    come_to_its_end(&mut sim);
    assert_snapshot!(sim.history(), @"[] to [1 1/0/0] back to none ROLLBACK_FAILED: No rollback candidate was found to run the rollback.");
    assert!(sim.live().is_empty());
    deploy(&mut sim, 2, "two");
    come_to_its_end(&mut sim);
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::Successful);
}

#[test]
fn an_aborted_deployment_stays_where_it_is() {
    let mut sim = Sim::new(1, 8).with(service(4, 50, 100));
    come_to_its_end(&mut sim);
    deploy(&mut sim, 2, "two");
    sim.settle();
    sim.obey();
    sim.stop(StopType::Abort).unwrap();
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::StopRequested);
    let there = sim.live();
    come_to_its_end(&mut sim);
    assert_eq!(sim.live(), there);
    assert_snapshot!(sim.history(), @r"
    [] to [1 4/4/0] SUCCESSFUL
    [1 0/2/0] to [2 4/2/0] STOPPED: Service deployment stopped because a user asked for it.
    ");
    assert_snapshot!(sim.service().primary().unwrap().rollout_reason, @"ECS deployment ecs-svc/2 was stopped by a user.");
    assert_eq!(sim.newest().stopped_at_ms, sim.newest().finished_at_ms);
}

#[test]
fn what_is_deleted_ends() {
    let mut sim = Sim::new(2, 8).with(service(1, 100, 200));
    sim.settle();
    sim.run(Command::DeleteService { key: key(), force: true });
    assert_snapshot!(sim.history(), @"[] to [1 1/0/1] STOPPED: Service deployment stopped because the service was deleted.");
    sim.come_to_rest();
    assert_eq!(sim.service().status, ServiceStatus::Inactive);
    assert_eq!(sim.world.service_deployments(&key()).count(), 1, "it is known as long as the service is");
    let mut sim = sim.with(service(1, 100, 200));
    // Another service of that name begins anew.
    assert_snapshot!(sim.history(), @"[] to [1 1/0/0] PENDING");
    sim.run(Command::DeleteService { key: key(), force: true });
    sim.come_to_rest();
    sim.now_ms += 10_000;
    sim.run(Command::Forget(plan::reap(&sim.world, sim.now_ms, 1)));
    assert_eq!(sim.world.service_deployments(&key()).count(), 0);
    assert_eq!(sim.world.service_revisions(&key()).count(), 0);
}

#[test]
fn the_history_is_bounded_in_number_and_in_time() {
    let mut sim = Sim::new(2, 8).with(service(1, 100, 200));
    come_to_its_end(&mut sim);
    for number in 2..=HISTORY_KEPT + 5 {
        deploy(&mut sim, number, "two");
    }
    let numbers = |sim: &Sim| {
        let records: Vec<u64> = sim.world.service_deployments(&key()).map(|record| record.number).collect();
        let revisions: Vec<u64> =
            sim.world.service_revisions(&key()).map(|revision| revision.number).collect();
        (records, revisions)
    };
    let newest: Vec<u64> = (6..=HISTORY_KEPT + 5).collect();
    let all = (1..=HISTORY_KEPT + 5).collect();
    assert_eq!(numbers(&sim), (newest, all), "what the service has not left behind yet keeps its revision");
    come_to_its_end(&mut sim);
    sim.now_ms += HISTORY_MS;
    assert!(sim.world.service_deployments(&key()).all(|record| !record.is_told(sim.now_ms)));
    deploy(&mut sim, 1_000, "one");
    assert_eq!(numbers(&sim).0, [HISTORY_KEPT + 6]);
    assert_eq!(numbers(&sim).1.len() as u64, HISTORY_KEPT, "the revisions outlive their deployments");
}

#[test]
fn a_service_from_before_there_were_records_begins_with_its_next_deployment() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    sim.settle();
    let stored = Service { deployed: 0, ..sim.service().clone() };
    sim.world.evolve(&Event::ServiceDeploymentForgotten(key(), 1));
    sim.world.evolve(&Event::ServiceRevisionForgotten(key(), 1));
    sim.world.evolve(&Event::ServiceStepped(stored.into()));
    come_to_its_end(&mut sim);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed);
    assert_snapshot!(sim.history(), @"");
    deploy(&mut sim, 2, "two");
    come_to_its_end(&mut sim);
    assert_snapshot!(sim.history(), @"[1 0/0/0] to [2 1/1/0] SUCCESSFUL");
}
