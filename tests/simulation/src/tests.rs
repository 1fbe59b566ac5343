use std::sync::Arc;

use model::command::{NewService, ServiceStep};
use model::{
    Command, DefinitionRef, Event, LaunchType, Revision, Size, Stop, StopCode, Task, TaskStatus, World,
    transact,
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

/// Two healthy tasks of a service on one machine, after a quiet minute.
fn quiet() -> Episode {
    let mut episode = Episode::new(1, 0, false);
    episode.weather = Weather { pool: 1, lasts_ms: 60_000, ..Weather::default() };
    episode.begin();
    let definition = DefinitionRef { family: "plain".into(), revision: Revision(1) };
    let deployment = site::deployment("ecs-svc/1".into(), definition, LaunchType::Fargate);
    let service = NewService { desired_count: 2, ..site::service("web", deployment) };
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
        service: service.key.clone(),
        expected_version: service.version,
        starts: vec![],
        stops: healthy
            .iter()
            .take(stopped)
            .map(|id| (*id, Stop { code: StopCode::ServiceSchedulerInitiated, reason: "so".into() }))
            .collect(),
        deployments: vec![],
        events: vec![],
        steady: None,
        inactive: false,
    };
    let outcome = |step: ServiceStep| {
        let mut after = world.clone();
        transact(&mut after, &Command::ServiceStep(step.clone().into()), 0).unwrap();
        promises::of_step(&world, &after, &step, 0)
    };
    assert!(outcome(step(0)).is_ok());
    assert!(outcome(step(1)).is_err());
}
