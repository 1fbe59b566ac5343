//! Whatever agents do and users ask: the bounds hold at every step, and there is an end.

mod support;

use model::{command::*, *};
use plan::reconcile::{self, Counts, StopReason, moves};
use proptest::prelude::*;
use support::*;

#[derive(Debug, Clone)]
enum Act {
    Plan,
    /// The nth live task goes on its way.
    Progress(usize),
    Fail(usize),
    /// The health check of the nth live task says so.
    Health(usize, Health),
    Scale(u32),
    Deploy,
    /// The user stops the deployment that is under way, if there is one.
    StopDeployment(StopType),
    /// The user stops a task.
    Stop(usize),
    /// For a minute, or no longer.
    Protect(usize, bool),
    /// The second instance drains, or no longer.
    Drain(bool),
    Later(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Plan),
        8 => any::<usize>().prop_map(Act::Progress),
        1 => any::<usize>().prop_map(Act::Fail),
        2 => (any::<usize>(), prop::sample::select(vec![Health::Healthy, Health::Unhealthy]))
            .prop_map(|(n, health)| Act::Health(n, health)),
        1 => (0..7u32).prop_map(Act::Scale),
        1 => Just(Act::Deploy),
        1 => prop::sample::select(StopType::ALL).prop_map(Act::StopDeployment),
        1 => any::<usize>().prop_map(Act::Stop),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(task, on)| Act::Protect(task, on)),
        1 => any::<bool>().prop_map(Act::Drain),
        2 => (1..20_000u64).prop_map(Act::Later),
    ]
}

fn any_percents() -> impl Strategy<Value = (u32, u32)> {
    prop::sample::select(vec![(100, 200), (50, 100), (0, 100), (50, 150), (75, 200), (100, 300), (0, 200)])
}

/// A stop that the planner asks for never takes the healthy below the lower bound, nor a start the
/// wanted above the upper one.
fn plan_within_bounds(sim: &mut Sim) {
    let healthy = sim.healthy();
    let wanted = sim.wanted();
    let service = sim.service().clone();
    let counts = Counts {
        desired: service.desired_count,
        minimum_percent: service.minimum_healthy_percent,
        maximum_percent: service.maximum_percent,
        ..Counts::default()
    };
    let moving = service.deployments.len() > 1 || sim.drains();
    let protected = sim.protected();
    for (task, why) in sim.tick().stops {
        let kept = protected.contains(&task) && why != StopReason::Unhealthy;
        assert!(!kept, "a protected task was stopped: {why:?}");
    }
    let lower = counts.lower_bound() as usize;
    assert!(sim.healthy() >= lower.min(healthy), "{} healthy of {healthy}, bound {lower}", sim.healthy());
    let upper = (counts.upper_bound() as usize).max(if moving { 0 } else { counts.desired as usize });
    assert!(sim.wanted() <= upper.max(wanted), "{} wanted of {wanted}, bound {upper}", sim.wanted());
    if service.desired_count == 0 {
        assert!(sim.wanted() <= wanted, "nothing starts when scaling to zero");
    }
}

fn act(sim: &mut Sim, act: Act, deployments: &mut u64) {
    let live = sim.live();
    let pick = |n: usize| (!live.is_empty()).then(|| live[n % live.len()]);
    match act {
        Act::Plan => plan_within_bounds(sim),
        Act::Progress(n) => pick(n).into_iter().for_each(|id| sim.progress(id)),
        Act::Fail(n) => pick(n).into_iter().for_each(|id| sim.fail(id, None)),
        Act::Health(n, health) => pick(n).into_iter().for_each(|id| sim.health(id, health)),
        Act::Scale(count) => sim.update(ServiceChange { desired_count: Some(count), ..Default::default() }),
        Act::Deploy => {
            *deployments += 1;
            let family = ["one", "two", "checked"][(*deployments % 3) as usize];
            let deployment = Some(deployment(*deployments, family));
            sim.update(ServiceChange { deployment, ..Default::default() });
        }
        Act::StopDeployment(stop) => {
            let over = sim.newest().status.is_over();
            assert_eq!(sim.stop(stop).is_err(), over);
        }
        Act::Stop(n) => {
            if let Some(task) = pick(n) {
                let (code, reason) = (StopCode::UserInitiated, "enough".into());
                sim.run(Command::StopTask { cluster: cluster(), task, code, reason });
            }
        }
        Act::Protect(n, on) => {
            let until_ms = on.then_some(sim.now_ms + 60_000);
            let tasks = pick(n).into_iter().collect();
            sim.run(Command::ProtectTasks { cluster: cluster(), tasks, until_ms });
        }
        Act::Drain(on) => sim.drain(InstanceId(2), on),
        Act::Later(ms) => sim.now_ms += ms,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_and_rest_comes(
        desired in 0..6u32,
        percents in any_percents(),
        room in 3..12i64,
        breaker: bool,
        acts in prop::collection::vec(any_act(), 1..150),
    ) {
        let breaker = Breaker { enable: breaker, rollback: true, ..Breaker::default() };
        let mut sim = Sim::new(2, room).with(NewService { breaker, ..service(desired, percents.0, percents.1) });
        let mut checked = definition("checked", Size::new(256, 512));
        checked.containers[0].health_checked = true;
        sim.run(Command::RegisterTaskDefinition(checked.into()));
        let mut deployments = 1;
        for next in acts {
            act(&mut sim, next, &mut deployments);
            prop_assert_eq!(sim.world.service_deployments(&key()).count() as u64, deployments);
            let open = sim.service().primary().is_some_and(Deployment::is_rolling_out);
            prop_assert_eq!(!sim.newest().status.is_over(), open, "{}", sim.history());
        }
        sim.drain(InstanceId(2), false);
        sim.settle();
        if sim.service().primary().unwrap().rollout_state == RolloutState::Failed {
            let stays = [ServiceDeploymentStatus::Stopped, ServiceDeploymentStatus::RollbackFailed];
            prop_assert!(stays.contains(&sim.newest().status), "{}", sim.history());
            let aborted = sim.newest().status == ServiceDeploymentStatus::Stopped;
            prop_assert!(aborted || sim.service().completed.is_none(), "it had somewhere to go back to");
            act(&mut sim, Act::Deploy, &mut deployments);
        }
        // From here all goes well. With room for the desired count, what is desired comes about:
        // at most throttling and missing room delay it.
        for _ in 0..400 {
            plan_within_bounds(&mut sim);
            sim.obey();
            for id in sim.live() {
                if sim.world.task(id).is_some_and(|task| !task.is_healthy()) {
                    sim.health(id, Health::Healthy);
                }
            }
            sim.now_ms += 1_000;
        }
        let service = sim.service();
        let counts = Counts {
            desired: service.desired_count, minimum_percent: percents.0, maximum_percent: percents.1, ..Counts::default()
        };
        // Where the bounds are one number, ECS makes no step either; a full pool lets none be made
        // unless the lower bound does.
        let movable = counts.lower_bound() < counts.upper_bound() || counts.desired == 0;
        let places = 2 * room as u32;
        let fits = places > counts.desired || (places == counts.desired && counts.lower_bound() < counts.desired);
        if movable && fits {
            prop_assert!(service.steady, "{}", sim.story());
            prop_assert_eq!(sim.healthy(), service.desired_count as usize);
            prop_assert_eq!(service.deployments.len(), 1);
            prop_assert_eq!(service.deployments[0].rollout_state, RolloutState::Completed);
            let good = [ServiceDeploymentStatus::Successful, ServiceDeploymentStatus::RollbackSuccessful];
            prop_assert!(good.contains(&sim.newest().status), "{}", sim.history());
            // At rest there is nothing to do, however often one looks.
            let before = sim.world.clone();
            sim.settle();
            prop_assert_eq!(&before, &sim.world);
        }
        sim.run(Command::DeleteService { key: key(), force: true });
        sim.come_to_rest();
        prop_assert_eq!(sim.service().status, ServiceStatus::Inactive);
        prop_assert!(sim.live().is_empty());
        let later = sim.now_ms + 1;
        let all = plan::reap(&sim.world, later, 1);
        sim.run(Command::Forget(all));
        prop_assert_eq!(sim.world.task_count(), 0);
        prop_assert!(sim.world.service(&key()).is_none());
    }

    #[test]
    fn the_same_arguments_give_the_same_plan(desired in 0..5u32, seed: u128) {
        let sim = Sim::new(3, 4).with(service(desired, 100, 200));
        let plan = || reconcile::service(&sim.world, &key(), sim.now_ms, seed);
        prop_assert_eq!(plan(), plan());
    }

    #[test]
    fn numbers_alone(
        desired in 0..20u32,
        minimum in 0..=100u32,
        maximum in 100..300u32,
        new in 0..20u32,
        new_healthy in 0..20u32,
        unhealthy in 0..5u32,
        old in 0..20u32,
        old_healthy in 0..20u32,
        leaving in 0..5u32,
        held_back: bool,
        no_room_for in 0..5u32,
        kept in (0..20u32, 0..20u32),
        unproven in 0..20u32,
    ) {
        // Those that aren't healthy are kept first.
        let healthy_of = |kept: u32, all: u32, healthy: u32| kept.saturating_sub(all - healthy.min(all));
        let counts = Counts {
            desired, minimum_percent: minimum, maximum_percent: maximum, new, new_healthy: new_healthy.min(new),
            new_unproven: unproven.min(new_healthy.min(new)),
            unhealthy, old, old_healthy: old_healthy.min(old), leaving, held_back, no_room_for,
            kept_new: kept.0.min(new), kept_new_healthy: healthy_of(kept.0.min(new), new, new_healthy),
            kept_old: kept.1.min(old), kept_old_healthy: healthy_of(kept.1.min(old), old, old_healthy),
        };
        prop_assert!(counts.kept_new_healthy <= counts.new_healthy && counts.kept_old_healthy <= counts.old_healthy);
        let to = moves(counts);
        let healthy = counts.new_healthy + counts.old_healthy;
        let stopped_new_healthy = to.stop_new.saturating_sub(counts.new - counts.new_healthy);
        prop_assert!(healthy - stopped_new_healthy - to.stop_old_healthy >= counts.lower_bound().min(healthy));
        let proven = healthy - counts.new_unproven;
        prop_assert!(to.stop_old_healthy == 0 || proven - to.stop_old_healthy >= counts.lower_bound());
        prop_assert!(to.start == 0 || new + to.start <= desired);
        let there = new + to.start + unhealthy + counts.old_healthy;
        prop_assert!(to.start == 0 || (old == 0 && unhealthy == 0) || there <= counts.upper_bound());
        prop_assert!(to.stop_unhealthy <= unhealthy);
        prop_assert!(to.stop_new <= new.saturating_sub(desired));
        prop_assert!(to.stop_old_idle + to.stop_old_healthy <= old - counts.kept_old);
        prop_assert!(to.stop_new <= new - counts.kept_new);
        prop_assert!(!held_back || to.start == 0);
    }
}
