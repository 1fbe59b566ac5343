//! Deployments beside the old revision: lifecycle stages, hooks, and the way back.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::preview;
use plan::reconcile::Counts;
use proptest::prelude::*;
use std::sync::Arc;
use support::*;

const MINUTE_MS: u64 = 60_000;

fn hook(target: HookTarget, stages: &[Stage]) -> Hook {
    Hook {
        target,
        stages: stages.to_vec(),
        details: None,
        timeout_ms: 10 * MINUTE_MS,
        on_timeout: HookAction::Rollback,
    }
}

fn url(stages: &[Stage]) -> Hook {
    hook(HookTarget::Url("http://127.0.0.1:1/".into()), stages)
}

fn pause(stages: &[Stage]) -> Hook {
    hook(HookTarget::Pause, stages)
}

fn staged(strategy: DeploymentStrategy, shift: Shift, hooks: Vec<Hook>) -> NewService {
    let stages = Stages { strategy, shift, bake_ms: 5 * MINUTE_MS, hooks };
    NewService { stages: Some(Arc::new(stages)), ..service(2, 100, 200) }
}

fn blue_green(hooks: Vec<Hook>) -> NewService {
    staged(DeploymentStrategy::BlueGreen, Shift::default(), hooks)
}

/// The service runs its first revision: hooks have let it, and its bake time is over.
fn running(service: NewService) -> Sim {
    let mut sim = Sim::new(1, 16).with(service);
    for _ in 0..40 {
        sim.come_to_rest();
        answer(&mut sim, &HookAnswer::Succeeded);
        sim.now_ms += MINUTE_MS;
    }
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed, "{}", sim.history());
    sim
}

fn deploy(sim: &mut Sim, number: u64, family: &str) {
    sim.update(ServiceChange { deployment: Some(deployment(number, family)), ..Default::default() });
    sim.come_to_rest();
}

fn lifecycle(sim: &Sim) -> Option<&Lifecycle> {
    sim.service().primary()?.lifecycle.as_deref()
}

fn stage(sim: &Sim) -> Stage {
    lifecycle(sim).expect("a deployment under way").stage
}

/// Whatever hooks are waited for say so; pauses go on where it says yes, and back where it says no.
fn answer(sim: &mut Sim, answer: &HookAnswer) {
    let runs = lifecycle(sim).map(|one| one.runs.clone()).unwrap_or_default();
    for run in runs.into_iter().filter(|run| run.is_open(sim.now_ms)) {
        let service = key();
        let command = match (run.status, answer) {
            (HookStatus::AwaitingAction, HookAnswer::Later { .. }) => continue,
            (HookStatus::AwaitingAction, said) => Command::ContinueDeployment {
                service,
                deployment: sim.newest().deployment.clone(),
                hook: run.id,
                action: if *said == HookAnswer::Failed { HookAction::Rollback } else { HookAction::Continue },
            },
            _ => Command::AnswerHook { service, run: run.id, answer: answer.clone() },
        };
        // The way back has the hooks of another deployment.
        let _ = transact(&mut sim.world, &command, sim.now_ms);
    }
}

/// How many wanted tasks each definition has.
fn colours(sim: &Sim) -> (usize, usize) {
    let of = |family: &str| {
        let wanted = |task: &&Arc<Task>| task.is_wanted() && task.definition.family.as_str() == family;
        sim.world.live_tasks_of(&key()).filter(wanted).count()
    };
    (of("one"), of("two"))
}

#[test]
fn green_comes_up_beside_blue_and_blue_goes_when_the_bake_is_over() {
    let mut sim = running(blue_green(vec![]));
    deploy(&mut sim, 2, "two");
    assert_eq!((stage(&sim), colours(&sim)), (Stage::BakeTime, (2, 2)));
    assert_eq!(sim.wake_at_ms, Some(lifecycle(&sim).unwrap().since_ms + 5 * MINUTE_MS));
    sim.now_ms = sim.wake_at_ms.unwrap() - 1;
    sim.come_to_rest();
    assert_eq!(colours(&sim), (2, 2), "to the last moment");
    sim.now_ms += 1;
    sim.come_to_rest();
    assert_eq!(colours(&sim), (0, 2));
    assert_eq!(
        (sim.newest().status, sim.newest().stage),
        (ServiceDeploymentStatus::Successful, Some(Stage::CleanUp))
    );
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) has reached a steady state.
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has started 2 tasks: (task #3) (task #4).
    (service web) has stopped 2 running tasks: (task #1) (task #2).
    (service web) (deployment ecs-svc/2) deployment completed.
    (service web) has reached a steady state.
    "#);
}

#[test]
fn a_failed_hook_leads_back_at_once_and_blue_was_never_touched() {
    let mut sim = running(blue_green(vec![url(&[Stage::PostScaleUp])]));
    let blue = sim.live();
    deploy(&mut sim, 2, "two");
    assert_eq!((stage(&sim), colours(&sim)), (Stage::PostScaleUp, (2, 2)));
    answer(&mut sim, &HookAnswer::Failed);
    sim.come_to_rest();
    assert_eq!(sim.live(), blue);
    let record = sim.newest();
    assert_eq!(record.status, ServiceDeploymentStatus::RollbackSuccessful, "{}", sim.history());
    let reason = "Service deployment rolled back because a lifecycle hook failed.";
    assert_eq!(record.rollback.as_ref().map(|back| &*back.reason), Some(reason));
    assert_eq!(sim.service().deployments.len(), 1);
}

#[test]
fn a_hook_is_asked_again_and_its_time_is_limited() {
    let mut sim = running(blue_green(vec![url(&[Stage::PreScaleUp])]));
    deploy(&mut sim, 2, "two");
    assert_eq!((stage(&sim), colours(&sim)), (Stage::PreScaleUp, (2, 0)));
    let due = plan::hooks(&sim.world, sim.now_ms);
    assert_eq!((due.calls.len(), due.calls[0].weight), (1, 0));
    let details = Some(Document::of("seen").unwrap());
    answer(&mut sim, &HookAnswer::Later { after_ms: 30_000, details: details.clone() });
    let due = plan::hooks(&sim.world, sim.now_ms);
    assert_eq!((due.calls.len(), due.wake_at_ms), (0, Some(sim.now_ms + 30_000)));
    sim.now_ms += 30_000;
    assert_eq!(plan::hooks(&sim.world, sim.now_ms).calls[0].details, details);
    // It never comes to an end.
    sim.now_ms += 10 * MINUTE_MS;
    sim.come_to_rest();
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackSuccessful);
    assert_eq!(plan::hooks(&sim.world, sim.now_ms), plan::hooks::Due::default());
}

#[test]
fn a_hook_that_may_be_late_is_passed_over() {
    let late = Hook { on_timeout: HookAction::Continue, ..url(&[Stage::PreScaleUp]) };
    let mut sim = running(blue_green(vec![late]));
    deploy(&mut sim, 2, "two");
    sim.now_ms += 10 * MINUTE_MS;
    sim.come_to_rest();
    assert_eq!(stage(&sim), Stage::BakeTime);
}

#[test]
fn a_pause_waits_for_whoever_continues_it() {
    let stages = [Stage::PostTestTrafficShift];
    let mut sim = running(blue_green(vec![pause(&stages), url(&stages)]));
    deploy(&mut sim, 2, "two");
    let runs = lifecycle(&sim).unwrap().runs.clone();
    assert_eq!(
        runs.iter().map(|run| run.status).collect::<Vec<_>>(),
        [HookStatus::AwaitingAction, HookStatus::InProgress]
    );
    assert!(runs[0].id.starts_with("ecs-pause-"));
    let go_on = |sim: &Sim, hook: &str| Command::ContinueDeployment {
        service: key(),
        deployment: sim.newest().deployment.clone(),
        hook: hook.into(),
        action: HookAction::Continue,
    };
    for wrong in ["ecs-pause-none", &*runs[1].id] {
        let refused = apply(&sim.world, &go_on(&sim, wrong), sim.now_ms);
        assert_eq!(refused, Err(Refusal::NotPaused(wrong.into())));
    }
    sim.run(go_on(&sim, &runs[0].id));
    sim.come_to_rest();
    assert_eq!(stage(&sim), Stage::PostTestTrafficShift, "the other hook has not answered");
    assert!(apply(&sim.world, &go_on(&sim, &runs[0].id), sim.now_ms).is_err(), "once");
    answer(&mut sim, &HookAnswer::Succeeded);
    sim.come_to_rest();
    assert_eq!(stage(&sim), Stage::BakeTime);
}

#[test]
fn a_user_s_rollback_while_it_bakes_brings_the_traffic_back_first() {
    let shifts = [Stage::TestTrafficShift, Stage::ProductionTrafficShift];
    let mut sim = running(blue_green(vec![url(&shifts)]));
    deploy(&mut sim, 2, "two");
    for _ in 0..2 {
        answer(&mut sim, &HookAnswer::Succeeded);
        sim.come_to_rest();
    }
    assert_eq!(stage(&sim), Stage::BakeTime);
    sim.stop(StopType::Rollback).unwrap();
    sim.come_to_rest();
    let call = plan::hooks(&sim.world, sim.now_ms).calls.remove(0);
    assert_eq!((call.stage, call.weight, call.back), (Stage::ProductionTrafficShift, 0, true));
    assert_eq!(
        (call.deployment.as_str(), call.other.as_ref().map(DeploymentId::as_str)),
        ("ecs-svc/2", Some("ecs-svc/1"))
    );
    assert_eq!(colours(&sim), (2, 2), "green serves until the traffic has come back");
    // A hook that fails now can't hold it up.
    answer(&mut sim, &HookAnswer::Failed);
    sim.come_to_rest();
    assert_eq!(plan::hooks(&sim.world, sim.now_ms).calls[0].stage, Stage::TestTrafficShift);
    answer(&mut sim, &HookAnswer::Succeeded);
    sim.come_to_rest();
    assert_eq!(colours(&sim), (2, 0));
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackSuccessful, "{}", sim.history());
}

#[test]
fn the_circuit_breaker_leads_back_too() {
    let breaker = Breaker { enable: true, rollback: true, ..Breaker::default() };
    let mut sim = running(NewService { breaker, ..blue_green(vec![]) });
    let blue = sim.live();
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    for _ in 0..20 {
        sim.settle();
        let green: Vec<TaskId> = sim.live().into_iter().filter(|id| !blue.contains(id)).collect();
        green.into_iter().for_each(|id| sim.fail(id, Some("CannotPullContainerError: no")));
        sim.now_ms += 10_000;
    }
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackSuccessful, "{}", sim.history());
    assert_eq!(sim.live(), blue);
}

#[test]
fn traffic_moves_step_by_step() {
    let hooks = vec![url(&[Stage::ProductionTrafficShift])];
    let cases = [
        (DeploymentStrategy::Linear, Shift::linear(400, MINUTE_MS), vec![400, 800, 1000]),
        (DeploymentStrategy::Canary, Shift::canary(50, MINUTE_MS), vec![50, 1000]),
        (DeploymentStrategy::BlueGreen, Shift::default(), vec![1000]),
    ];
    for (strategy, shift, expected) in cases {
        let mut sim = running(staged(strategy, shift, hooks.clone()));
        deploy(&mut sim, 2, "two");
        let mut seen = Vec::new();
        while stage(&sim) != Stage::BakeTime {
            seen.extend(plan::hooks(&sim.world, sim.now_ms).calls.iter().map(|call| call.weight));
            answer(&mut sim, &HookAnswer::Succeeded);
            sim.come_to_rest();
            if seen.len() < expected.len() {
                assert_eq!(
                    stage(&sim),
                    Stage::ProductionTrafficShift,
                    "it rests after each step but the last"
                );
                sim.now_ms = sim.wake_at_ms.unwrap();
                sim.come_to_rest();
            }
        }
        assert_eq!(seen, expected, "{strategy}");
    }
}

#[test]
fn a_rolling_update_waits_before_and_after() {
    let hooks = vec![pause(&[Stage::PreScaleUp, Stage::PostScaleUp])];
    let mut sim = running(staged(DeploymentStrategy::Rolling, Shift::default(), hooks));
    deploy(&mut sim, 2, "two");
    assert_eq!((stage(&sim), colours(&sim)), (Stage::PreScaleUp, (2, 0)));
    // What ends meanwhile is replaced by its like.
    let one = sim.live()[0];
    sim.fail(one, None);
    sim.come_to_rest();
    assert_eq!((stage(&sim), colours(&sim)), (Stage::PreScaleUp, (2, 0)));
    answer(&mut sim, &HookAnswer::Succeeded);
    sim.come_to_rest();
    assert_eq!((stage(&sim), colours(&sim)), (Stage::PostScaleUp, (0, 2)), "the old ones have gone");
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::InProgress);
    answer(&mut sim, &HookAnswer::Succeeded);
    sim.come_to_rest();
    assert_eq!(stage(&sim), Stage::BakeTime);
    sim.now_ms += 5 * MINUTE_MS;
    sim.come_to_rest();
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::Successful, "{}", sim.history());
}

#[test]
fn a_rolling_update_that_is_refused_rolls_back_within_its_bounds() {
    for at in [Stage::PreScaleUp, Stage::PostScaleUp] {
        let mut sim = running(staged(DeploymentStrategy::Rolling, Shift::default(), vec![url(&[at])]));
        deploy(&mut sim, 2, "two");
        assert_eq!(stage(&sim), at);
        answer(&mut sim, &HookAnswer::Failed);
        for _ in 0..50 {
            plan_within_bounds(&mut sim);
            sim.obey();
        }
        assert_eq!(sim.newest().status, ServiceDeploymentStatus::RollbackSuccessful, "{}", sim.history());
        assert_eq!((colours(&sim), sim.service().deployments.len()), ((2, 0), 1));
        assert!(lifecycle(&sim).is_none(), "the way back has no stages");
    }
}

#[test]
fn a_newer_deployment_takes_the_place_of_green_and_leaves_blue() {
    let mut sim = running(blue_green(vec![pause(&[Stage::PostScaleUp])]));
    deploy(&mut sim, 2, "two");
    assert_eq!(colours(&sim), (2, 2));
    sim.update(ServiceChange { deployment: Some(deployment(3, "three")), ..Default::default() });
    sim.settle();
    assert_eq!((stage(&sim), colours(&sim)), (Stage::ReconcileService, (2, 0)));
    sim.come_to_rest();
    assert_eq!(stage(&sim), Stage::PostScaleUp);
    assert_eq!((colours(&sim), sim.wanted()), ((2, 0), 4));
}

#[test]
fn the_plan_is_told_in_advance() {
    let sim = running(blue_green(vec![url(&[Stage::PostScaleUp]), pause(&[Stage::PostScaleUp])]));
    let before = sim.service().clone();
    let mut then = sim.world.clone();
    let change = ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() };
    let update =
        Command::UpdateService { key: key(), expected_version: before.version, change: change.into() };
    transact(&mut then, &update, sim.now_ms).unwrap();
    let preview = preview::run(&then, &key(), sim.now_ms, 1).unwrap();
    let after = then.service(&key()).unwrap();
    assert_snapshot!(preview::text(preview::Change { before: &before, after }, &preview), @r#"
    web (cluster default) goes from one:1 to two:1, with 2 tasks as before.
    The new tasks come up beside the old ones (BLUE_GREEN); the old ones go last.

      1. start 2 tasks of two:1
      2. wait for 2 tasks to be healthy
      3. wait for 2 hooks at POST_SCALE_UP
      4. wait 300 s while both revisions run
      5. stop 2 tasks of one:1
      6. wait for 2 tasks to end

    Then the service is steady with 2 tasks. 2 started, 2 stopped.
    If its tasks fail, new ones are tried without end: it has no circuit breaker.
    Assumed: new tasks start and stay healthy, hooks let it go on, and nothing else changes meanwhile.
    "#);
}

#[derive(Debug, Clone)]
enum Act {
    Plan,
    Progress(usize),
    Fail(usize),
    Answer(u8),
    Deploy,
    Scale(u32),
    StopDeployment(StopType),
    Later(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => Just(Act::Plan),
        10 => any::<usize>().prop_map(Act::Progress),
        1 => any::<usize>().prop_map(Act::Fail),
        3 => (0..3u8).prop_map(Act::Answer),
        1 => Just(Act::Deploy),
        1 => (0..4u32).prop_map(Act::Scale),
        1 => prop::sample::select(StopType::ALL).prop_map(Act::StopDeployment),
        3 => (1..4 * MINUTE_MS).prop_map(Act::Later),
    ]
}

/// No stop takes the healthy below the lower bound, and none takes a task of blue while both are to run, unless it is
/// one too many.
fn plan_within_bounds(sim: &mut Sim) {
    let service = sim.service().clone();
    let healthy = sim.healthy();
    let primary = service.primary().unwrap();
    let beside = primary.lifecycle.as_ref().filter(|one| one.keeps_old() && one.back_from.is_none());
    let blue = beside.and_then(|one| one.from.clone());
    let of_blue = |sim: &Sim| {
        let its = |task: &&Arc<Task>| task.is_wanted() && blue.is_some() && task.deployment == blue;
        sim.world.live_tasks_of(&key()).filter(its).count()
    };
    let before = of_blue(sim);
    sim.tick();
    let after = of_blue(sim);
    assert!(after >= before.min(service.desired_count as usize), "{after} of {before} blue tasks");
    let counts = Counts {
        desired: service.desired_count,
        minimum_percent: service.minimum_healthy_percent,
        ..Counts::default()
    };
    let lower = counts.lower_bound() as usize;
    assert!(sim.healthy() >= lower.min(healthy), "{} healthy of {healthy}, bound {lower}", sim.healthy());
}

fn act(sim: &mut Sim, act: Act, deployments: &mut u64) {
    let live = sim.live();
    let pick = |n: usize| (!live.is_empty()).then(|| live[n % live.len()]);
    match act {
        Act::Plan => plan_within_bounds(sim),
        Act::Progress(n) => pick(n).into_iter().for_each(|id| sim.progress(id)),
        Act::Fail(n) => pick(n).into_iter().for_each(|id| sim.fail(id, None)),
        Act::Answer(which) => {
            let later = HookAnswer::Later { after_ms: 1000, details: None };
            answer(sim, &[HookAnswer::Succeeded, HookAnswer::Failed, later][which as usize]);
        }
        Act::Deploy => {
            *deployments += 1;
            let family = ["one", "two", "three"][(*deployments % 3) as usize];
            let deployment = Some(deployment(*deployments, family));
            sim.update(ServiceChange { deployment, ..Default::default() });
        }
        Act::Scale(count) => sim.update(ServiceChange { desired_count: Some(count), ..Default::default() }),
        Act::StopDeployment(stop) => {
            let _ = sim.stop(stop);
        }
        Act::Later(ms) => sim.now_ms += ms,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_and_there_is_an_end(
        strategy in prop::sample::select(DeploymentStrategy::ALL),
        breaker: bool,
        acts in prop::collection::vec(any_act(), 1..150),
    ) {
        let shift = match strategy {
            DeploymentStrategy::Linear => Shift::linear(300, MINUTE_MS),
            DeploymentStrategy::Canary => Shift::canary(100, MINUTE_MS),
            _ => Shift::default(),
        };
        let mut hooks = vec![
            url(&[Stage::PostScaleUp, Stage::TestTrafficShift, Stage::ProductionTrafficShift]),
            pause(&[Stage::ReconcileService, Stage::PreProductionTrafficShift]),
        ];
        if strategy == DeploymentStrategy::Rolling {
            hooks.iter_mut().for_each(|hook| hook.stages.retain(|stage| !stage.is_of_traffic()));
        }
        let breaker = Breaker { enable: breaker, rollback: true, ..Breaker::default() };
        let mut sim = Sim::new(2, 16).with(NewService { breaker, ..staged(strategy, shift, hooks) });
        let mut deployments = 1;
        for next in acts {
            act(&mut sim, next, &mut deployments);
            let open = sim.service().primary().is_some_and(Deployment::is_rolling_out);
            prop_assert_eq!(!sim.newest().status.is_over(), open, "{}", sim.history());
        }
        sim.settle();
        if sim.service().primary().unwrap().rollout_state == RolloutState::Failed {
            act(&mut sim, Act::Deploy, &mut deployments);
        }
        // From here all goes well.
        for _ in 0..200 {
            plan_within_bounds(&mut sim);
            sim.obey();
            answer(&mut sim, &HookAnswer::Succeeded);
            sim.now_ms += 10_000;
        }
        let service = sim.service();
        prop_assert!(service.steady, "{}\n{}", sim.story(), sim.history());
        prop_assert_eq!(sim.healthy(), service.desired_count as usize);
        prop_assert_eq!(service.deployments.len(), 1);
        prop_assert_eq!(service.deployments[0].rollout_state, RolloutState::Completed);
        let good = [ServiceDeploymentStatus::Successful, ServiceDeploymentStatus::RollbackSuccessful];
        prop_assert!(good.contains(&sim.newest().status), "{}", sim.history());
        let before = sim.world.clone();
        sim.settle();
        prop_assert_eq!(&before, &sim.world);
    }
}
