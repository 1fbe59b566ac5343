use std::sync::Arc;

use model::command::{
    DeploymentChange, DeploymentStep, NewDeployment, NewService, ServiceChange, ServiceStep,
};
use model::{
    Command, DefinitionRef, DeploymentStrategy, Event, Hook, HookAction, HookTarget, LaunchType, Lifecycle,
    Revision, Service, Shift, Size, Stage, Stages, Stop, StopCode, Task, TaskStatus, World, transact,
};

use crate::episode::Episode;
use crate::weather::Weather;
use crate::{promises, site};

/// A quarter of a minute of trouble, and a service that nobody deletes.
fn short(seed: u64) -> Episode {
    let mut episode = Episode::new(seed, 0, true);
    episode.weather.lasts_ms = 15_000;
    episode.weather.user_acts_every_ms = 300;
    episode
}

#[test]
fn a_seed_is_one_episode() {
    let play = |seed| {
        let mut episode = short(seed);
        episode.play().unwrap();
        (episode.steps, episode.tally.clone(), episode.trace)
    };
    assert_eq!(play(3), play(3));
    assert_ne!(play(3), play(4));
}

#[test]
fn things_happen() {
    let mut episode = short(5);
    episode.play().unwrap();
    for what in ["commits", "orders carried out", "tasks RUNNING", "tasks STOPPED", "tasks forgotten"] {
        assert!(episode.tally.of(what) > 0, "no {what} in\n{}", episode.tally);
    }
}

fn deployment(number: u64) -> NewDeployment {
    let definition = DefinitionRef { family: "plain".into(), revision: Revision(1) };
    site::deployment(format!("ecs-svc/{number}").into(), definition, LaunchType::Fargate)
}

/// Two healthy tasks of a service on one machine, after a quiet minute.
fn quiet() -> Episode {
    quiet_with(None)
}

fn quiet_with(stages: Option<Arc<Stages>>) -> Episode {
    let mut episode = Episode::new(1, 0, false);
    episode.weather = Weather { pool: 1, lasts_ms: 60_000, ..Weather::default() };
    episode.begin();
    let service = NewService { desired_count: 2, stages, ..site::service("web", deployment(1)) };
    episode.ask(Command::CreateService { service: service.into(), token: None });
    episode.go_on(episode.now_ms + 60_000).unwrap();
    let service = episode.control.world.service(&site::cluster().service("web")).unwrap();
    promises::at_rest(&episode.control.world, service).unwrap();
    episode
}

/// What the promises say of a task that becomes another one from one commit to the next.
fn becomes(change: impl FnOnce(&mut Task, &Task)) -> anyhow::Result<()> {
    let world = quiet().control.world;
    let tasks: Vec<Arc<Task>> = world.all_tasks().cloned().collect();
    let mut task = Task::clone(&tasks[0]);
    change(&mut task, &tasks[1]);
    let event = Event::TaskCreated(task.into());
    let mut after = world.clone();
    after.evolve(&event);
    promises::of_commit(&world, &after, &[event], 0)
}

#[test]
fn what_must_not_be_is_noticed() {
    assert!(becomes(|_, _| {}).is_ok());
    assert!(becomes(|task, _| task.last_status = TaskStatus::Pending).is_err());
    assert!(becomes(|task, _| task.started_at_ms = Some(1)).is_err());
    assert!(becomes(|task, _| task.last_status = TaskStatus::Stopped).is_err());
    // As if it were started beside what is there.
    assert!(becomes(|task, _| task.id.0 += 1).is_err());
    let beside = |size: Size| {
        becomes(|task, _| {
            task.id.0 += 1;
            task.eni = None;
            task.size = size;
        })
    };
    assert!(beside(Size::new(1, 1)).is_ok());
    assert!(beside(Size::new(100_000, 1)).is_err());
}

#[test]
fn a_step_below_the_lower_bound_is_noticed() {
    let world: World = quiet().control.world;
    let service = world.service(&site::cluster().service("web")).unwrap();
    let healthy: Vec<_> = world.live_tasks_of(&service.key).map(|task| task.id).collect();
    let step = |stopped: usize| ServiceStep {
        stops: healthy
            .iter()
            .take(stopped)
            .map(|id| (*id, Stop { code: StopCode::ServiceSchedulerInitiated, reason: "so".into() }))
            .collect(),
        ..empty(service)
    };
    assert!(outcome(&world, step(0)).is_ok());
    assert!(outcome(&world, step(1)).is_err());
}

fn empty(service: &Service) -> ServiceStep {
    ServiceStep {
        service: service.key.clone(),
        expected_version: service.version,
        starts: vec![],
        stops: vec![],
        deployments: vec![],
        events: vec![],
        steady: None,
        inactive: false,
    }
}

/// What the promises say of a step that nobody planned.
fn outcome(world: &World, step: ServiceStep) -> anyhow::Result<()> {
    let mut after = world.clone();
    transact(&mut after, &Command::ServiceStep(step.clone().into()), 0).unwrap();
    promises::of_step(world, &after, &step, 0)
}

#[test]
fn a_touched_blue_and_a_hook_that_is_passed_over_are_noticed() {
    let hook = Hook {
        target: HookTarget::Pause,
        stages: vec![Stage::PostScaleUp],
        details: None,
        timeout_ms: 3_600_000,
        on_timeout: HookAction::Rollback,
    };
    let (strategy, shift) = (DeploymentStrategy::BlueGreen, Shift::default());
    let mut episode = quiet_with(Some(Stages { strategy, shift, bake_ms: 0, hooks: vec![] }.into()));
    let stages =
        Some(Some(Stages { strategy, shift: Shift::default(), bake_ms: 0, hooks: vec![hook] }.into()));
    let deployment = Some(deployment(2));
    let key = site::cluster().service("web");
    episode.change(key.clone(), ServiceChange { stages, deployment, ..ServiceChange::default() });
    episode.go_on(episode.now_ms + 60_000).unwrap();
    let world: World = episode.control.world;
    let service = world.service(&key).unwrap();
    let lifecycle = service.primary().unwrap().lifecycle.clone().unwrap();
    assert_eq!(lifecycle.stage, Stage::PostScaleUp);
    let blue = world.live_tasks_of(&key).find(|task| task.deployment == lifecycle.from).unwrap().id;
    let stop = Stop { code: StopCode::ServiceSchedulerInitiated, reason: "so".into() };
    assert!(outcome(&world, empty(service)).is_ok());
    assert!(outcome(&world, ServiceStep { stops: vec![(blue, stop)], ..empty(service) }).is_err());
    let next = Lifecycle { stage: Stage::TestTrafficShift, runs: vec![], ..*lifecycle };
    let change = DeploymentChange::Stage(next.into());
    let change = DeploymentStep { id: "ecs-svc/2".into(), change };
    assert!(outcome(&world, ServiceStep { deployments: vec![change], ..empty(service) }).is_err());
}
