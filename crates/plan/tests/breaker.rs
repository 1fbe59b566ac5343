//! Deployments that don't come to their end, and what the circuit breaker makes of them.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::reconcile;
use proptest::prelude::*;
use support::*;

const BREAKER: Breaker = Breaker {
    enable: true,
    rollback: true,
    reset_on_healthy: true,
    threshold: Threshold { kind: ThresholdKind::BoundedPercent, value: 50 },
};

fn watched(desired: u32, minimum: u32, maximum: u32) -> NewService {
    NewService { breaker: BREAKER, ..service(desired, minimum, maximum) }
}

fn deploy(sim: &mut Sim, number: u64, family: &str) {
    sim.update(ServiceChange { deployment: Some(deployment(number, family)), ..Default::default() });
}

/// Time goes on, second by second. Tasks of the family `two` come to RUNNING or don't, and end; all others do well.
fn go_on(sim: &mut Sim, seconds: u32, run: bool) {
    for _ in 0..seconds {
        sim.settle();
        for id in sim.live() {
            let task = sim.world.task(id).unwrap();
            let bad =
                task.definition.family.as_str() == "two" && task.desired_status == DesiredStatus::Running;
            match (bad, run && task.last_status < TaskStatus::Running) {
                (true, false) if run => sim.fail(id, None),
                (true, false) => sim.fail(id, Some("CannotPullContainerError: no such image")),
                _ => sim.progress(id),
            }
        }
        sim.now_ms += 1_000;
    }
    sim.settle();
}

fn families(sim: &Sim) -> Vec<String> {
    sim.world.live_tasks_of(&key()).map(|task| task.definition.family.to_string()).collect()
}

#[test]
fn what_cannot_start_is_rolled_back() {
    let mut sim = Sim::new(2, 8).with(watched(2, 100, 200));
    go_on(&mut sim, 15, false);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed);
    let stable = sim.live();
    deploy(&mut sim, 2, "two");
    for fail in [2, 1] {
        sim.settle();
        let new = |id: &TaskId| !stable.contains(id);
        for id in sim.live().into_iter().filter(new).take(fail) {
            sim.fail(id, Some("CannotPullContainerError: no such image"));
        }
    }
    assert_eq!(sim.service().primary().unwrap().failed_tasks, 3);
    sim.tick();
    let back = sim.service().primary().unwrap();
    assert_eq!((back.id.as_str(), back.rollout_state), ("ecs-svc/1", RolloutState::InProgress));
    assert_snapshot!(back.rollout_reason, @"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
    go_on(&mut sim, 5, false);
    assert_eq!(sim.live(), stable, "what ran was not touched");
    assert_eq!(sim.service().deployments.len(), 1);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed);
    assert_snapshot!(sim.story(), @r"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) has reached a steady state.
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has started 2 tasks: (task #3) (task #4).
    (service web) has started 2 tasks: (task #5) (task #6).
    (service web) (deployment ecs-svc/2) deployment failed: tasks failed to start.
    (service web) rolling back to deployment ecs-svc/1.
    (service web) has stopped 1 running tasks: (task #5).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    ");
}

#[test]
fn what_ends_after_it_has_started_is_rolled_back_and_the_old_stay_until_then() {
    let mut sim = Sim::new(2, 8).with(watched(2, 100, 200));
    go_on(&mut sim, 15, true);
    let stable = sim.live();
    deploy(&mut sim, 2, "two");
    for _ in 0..60 {
        go_on(&mut sim, 1, true);
        assert!(stable.iter().all(|id| sim.live().contains(id)), "{}", sim.story());
    }
    assert_eq!(families(&sim), ["one", "one"]);
    let story = sim.story();
    assert!(story.contains("(deployment ecs-svc/2) deployment failed: tasks failed to start."), "{story}");
}

#[test]
fn without_the_breaker_it_is_tried_for_ever() {
    let mut sim = Sim::new(2, 8).with(service(1, 100, 200));
    sim.come_to_rest();
    deploy(&mut sim, 2, "two");
    go_on(&mut sim, 600, false);
    let primary = sim.service().primary().unwrap();
    assert_eq!((primary.id.as_str(), primary.rollout_state), ("ecs-svc/2", RolloutState::InProgress));
    assert!(primary.failed_tasks > 3);
    assert_eq!(families(&sim).iter().filter(|family| *family == "one").count(), 1);
}

#[test]
fn the_first_deployment_has_nowhere_to_go_back_to() {
    let first = NewService { deployment: Some(deployment(1, "two")), ..watched(1, 100, 200) };
    let mut sim = Sim::new(1, 8).with(first);
    go_on(&mut sim, 60, false);
    let primary = sim.service().primary().unwrap();
    assert_eq!(primary.rollout_state, RolloutState::Failed);
    assert_snapshot!(primary.rollout_reason, @"ECS deployment circuit breaker: tasks failed to start.");
    assert_eq!(primary.failed_tasks, 3);
    assert!(sim.live().is_empty());
    assert_eq!(sim.wake_at_ms, None, "nothing is waited for");
    let before = sim.world.clone();
    sim.now_ms += 1_000_000;
    sim.settle();
    assert_eq!(before, sim.world, "and nothing is started any more");
    deploy(&mut sim, 2, "one");
    go_on(&mut sim, 15, false);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed);
}

#[test]
fn without_rollback_the_service_stays_as_it_is() {
    let breaker = Breaker { rollback: false, ..BREAKER };
    let mut sim = Sim::new(1, 8).with(NewService { breaker, ..watched(2, 50, 100) });
    go_on(&mut sim, 15, false);
    deploy(&mut sim, 2, "two");
    go_on(&mut sim, 60, false);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Failed);
    // One had to make room.
    assert_eq!(families(&sim), ["one"]);
}

#[test]
fn what_no_longer_runs_is_started_again() {
    let mut sim = Sim::new(1, 2).with(watched(2, 0, 100));
    go_on(&mut sim, 15, false);
    deploy(&mut sim, 2, "two");
    sim.settle();
    sim.obey();
    sim.settle();
    assert!(!families(&sim).contains(&"one".to_owned()));
    assert_eq!(sim.service().deployments.len(), 1);
    go_on(&mut sim, 60, false);
    assert_eq!(families(&sim), ["one", "one"], "{}", sim.story());
    let primary = sim.service().primary().unwrap();
    assert_eq!((primary.id.as_str(), primary.rollout_state), ("ecs-svc/1", RolloutState::Completed));
    assert_eq!(primary.desired_count, 2);
}

#[test]
fn a_deleted_definition_stays_as_long_as_it_may_be_gone_back_to() {
    let mut sim = Sim::new(1, 2).with(watched(1, 0, 100));
    go_on(&mut sim, 15, false);
    deploy(&mut sim, 2, "two");
    sim.settle();
    sim.obey();
    let one = DefinitionRef { family: "one".into(), revision: Revision(1) }.in_scope(&scope());
    sim.run(Command::DeregisterTaskDefinition { key: one.clone() });
    sim.run(Command::DeleteTaskDefinition { key: one.clone() });
    let forget = |sim: &mut Sim| {
        sim.now_ms += 1_000;
        sim.run(Command::Forget(plan::reap(&sim.world, sim.now_ms, 1)));
        // What referred to it went with the first.
        sim.run(Command::Forget(plan::reap(&sim.world, sim.now_ms, 1)));
    };
    forget(&mut sim);
    go_on(&mut sim, 60, false);
    assert_eq!(families(&sim), ["one"], "{}", sim.story());
    deploy(&mut sim, 3, "three");
    go_on(&mut sim, 15, false);
    forget(&mut sim);
    assert!(sim.world.definition(&one).is_none());
}

#[test]
fn failed_health_checks_count() {
    let mut sim = Sim::new(2, 8);
    let mut checked = definition("checked", Size::new(256, 512));
    checked.containers[0].health_checked = true;
    sim.run(Command::RegisterTaskDefinition(checked.into()));
    let mut sim = sim.with(watched(1, 100, 200));
    go_on(&mut sim, 15, true);
    deploy(&mut sim, 2, "checked");
    for _ in 0..60 {
        go_on(&mut sim, 1, true);
        for id in sim.live() {
            if sim.world.task(id).unwrap().definition.family.as_str() == "checked" {
                sim.health(id, Health::Unhealthy);
            }
        }
    }
    assert_eq!(families(&sim), ["one"]);
    let story = sim.story();
    assert!(story.contains("rolling back to deployment ecs-svc/1."), "{story}");
}

/// Fails after it has held for a while, again and again, until the deployment ends or so many have.
fn failures_until_the_end(breaker: Breaker) -> u32 {
    // Of the two one is never placed, so that the deployment is never complete.
    let mut sim = Sim::new(1, 1).with(NewService { breaker, ..watched(2, 0, 100) });
    for failures in 1..=10 {
        go_on(&mut sim, 60, true);
        sim.fail(sim.live()[0], None);
        sim.settle();
        if sim.service().primary().unwrap().rollout_state == RolloutState::Failed {
            return failures;
        }
    }
    u32::MAX
}

#[test]
fn a_task_that_holds_begins_the_count_anew_unless_it_is_not_to() {
    assert_eq!(failures_until_the_end(BREAKER), u32::MAX);
    assert_eq!(failures_until_the_end(Breaker { reset_on_healthy: false, ..BREAKER }), 3);
    let count = Threshold { kind: ThresholdKind::Count, value: 1 };
    assert_eq!(failures_until_the_end(Breaker { threshold: count, ..BREAKER }), 1);
}

#[test]
fn thresholds() {
    let of = |kind, value| {
        move |desired| Breaker { threshold: Threshold { kind, value }, ..BREAKER }.allows(desired)
    };
    // The examples of the developer guide.
    assert_eq!([0, 1, 25, 400, 800].map(of(ThresholdKind::BoundedPercent, 50)), [3, 3, 13, 200, 200]);
    assert_eq!([0, 1, 25, 400, 800].map(of(ThresholdKind::UnboundedPercent, 50)), [1, 1, 13, 200, 400]);
    assert_eq!([0, 1, 800].map(of(ThresholdKind::Count, 7)), [7, 7, 7]);
    assert_eq!(of(ThresholdKind::UnboundedPercent, u32::MAX)(u32::MAX), u32::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever share of the new tasks fails, and when: in the end all tasks are of one deployment, which has
    /// completed, and on the way never fewer than the lower bound were there.
    #[test]
    fn a_rollback_always_ends(
        desired in 2..7u32,
        percents in prop::sample::select(vec![(100, 200), (50, 100), (50, 150), (75, 200), (100, 300)]),
        fates in prop::collection::vec((any::<bool>(), 0..15u64), 1..40),
    ) {
        let mut sim = Sim::new(2, 20).with(watched(desired, percents.0, percents.1));
        go_on(&mut sim, 15, true);
        deploy(&mut sim, 2, "two");
        let lower = (desired * percents.0).div_ceil(100) as usize;
        let mut fates = fates.into_iter().cycle();
        let mut ends = std::collections::BTreeMap::new();
        for _ in 0..2_000 {
            sim.settle();
            prop_assert!(sim.healthy() >= lower, "{} healthy, bound {lower}: {}", sim.healthy(), sim.story());
            for id in sim.live() {
                let now_ms = sim.now_ms;
                let task = sim.world.task(id).unwrap();
                let bad = task.definition.family.as_str() == "two"
                    && task.desired_status == DesiredStatus::Running;
                let (fails, after_s) = *ends.entry(id).or_insert_with(|| fates.next().unwrap());
                match task.started_at_ms {
                    Some(at_ms) if bad && fails && at_ms + after_s * 1000 <= now_ms && after_s < 10 => sim.fail(id, None),
                    None if bad && fails && after_s >= 10 => sim.fail(id, Some("CannotPullContainerError")),
                    _ => sim.progress(id),
                }
            }
            let service = sim.service();
            if service.deployments.len() == 1 && service.deployments[0].rollout_state == RolloutState::Completed {
                break;
            }
            sim.now_ms += 1_000;
        }
        let primary = sim.service().primary().unwrap();
        prop_assert_eq!(primary.rollout_state, RolloutState::Completed, "{}", sim.story());
        let at_rest = reconcile::service(&sim.world, &key(), sim.now_ms, 1).unwrap();
        prop_assert_eq!(at_rest.step, None);
    }
}
