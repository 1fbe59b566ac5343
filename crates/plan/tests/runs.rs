//! Tasks that run to their end: deadlines and further attempts.

mod support;

use model::{command::*, *};
use plan::runs::{ATTEMPT, RETRY_OF};
use support::*;

const FAILS: Option<&str> = Some("CannotPullContainerError: no such image");

fn run(timeout_ms: Option<u64>, retries: u32) -> Run {
    Run { timeout_ms, retries, attempt: 1, ..Run::default() }
}

/// Task 1, started with this, on the one instance.
fn started(run: Run) -> Sim {
    let mut sim = Sim::new(1, 2);
    let task = NewTask {
        launch_type: LaunchType::Fargate,
        started_by: Some("nightly".into()),
        subnet: Some("subnet-1".into()),
        tags: Tags::new([Tag { key: "team".into(), value: Some("web".into()) }]),
        run: Some(run),
        ..task(1, 1)
    };
    sim.run(Command::StartTasks { tasks: vec![task], token: None });
    sim
}

/// Does what is due now; when to look again.
fn look(sim: &mut Sim) -> Option<u64> {
    sim.seed += 1;
    let plan = plan::runs(&sim.world, sim.now_ms, sim.seed);
    for command in plan.commands {
        sim.run(command);
    }
    plan.wake_at_ms
}

fn live(sim: &Sim) -> Vec<TaskId> {
    sim.world.all_tasks().filter(|task| task.is_live()).map(|task| task.id).collect()
}

fn tag(task: &Task, key: &str) -> String {
    task.tags.iter().find(|tag| &*tag.key == key).and_then(|tag| tag.value.clone()).unwrap_or_default().into()
}

#[test]
fn a_deadline_ends_a_task_and_says_so() {
    let mut sim = started(run(Some(90_000), 0));
    let end_ms = sim.now_ms + 90_000;
    assert_eq!(look(&mut sim), Some(end_ms));
    sim.progress(TaskId(1));
    sim.now_ms = end_ms - 1;
    assert_eq!(look(&mut sim), Some(end_ms));
    assert_eq!(sim.world.task(TaskId(1)).unwrap().desired_status, DesiredStatus::Running);
    sim.now_ms = end_ms;
    look(&mut sim);
    let task = sim.world.task(TaskId(1)).unwrap();
    let stop = task.stop.clone().unwrap();
    assert_eq!(stop.code, StopCode::UserInitiated);
    assert_eq!(&*stop.reason, "Task was stopped because it ran longer than its longshore:timeout of 90 s");
    assert_eq!(look(&mut sim), None, "nothing more is due");
    sim.progress(TaskId(1));
    assert_eq!(look(&mut sim), None, "without retries it ends there");
}

#[test]
fn failures_are_tried_again_ever_more_slowly_until_the_last() {
    let mut sim = started(run(None, 3));
    let mut waits = Vec::new();
    let mut id = TaskId(1);
    for attempt in 1.. {
        sim.progress(id);
        sim.fail(id, None);
        let Some(at_ms) = look(&mut sim) else { break };
        waits.push(at_ms - sim.now_ms);
        assert_eq!(live(&sim), []);
        sim.now_ms = at_ms;
        look(&mut sim);
        let next = live(&sim)[0];
        let (old, new) = (sim.world.task(id).unwrap(), sim.world.task(next).unwrap());
        assert_eq!(old.run.as_ref().unwrap().next, Some(next));
        assert_eq!((tag(new, ATTEMPT), tag(new, RETRY_OF)), ((attempt + 1).to_string(), id.to_string()));
        assert_eq!((tag(new, "team"), &new.started_by), ("web".to_owned(), &old.started_by));
        assert_eq!(new.eni.as_ref().unwrap().subnet.as_deref(), Some("subnet-1"));
        id = next;
    }
    assert_eq!(waits, [1_000, 2_000, 4_000]);
    assert_eq!(sim.world.task_count(), 4, "all attempts can be looked at");
}

#[test]
fn what_never_started_and_what_took_too_long_is_tried_again() {
    let mut sim = started(run(Some(10_000), 1));
    sim.fail(TaskId(1), FAILS);
    sim.now_ms += 1_000;
    look(&mut sim);
    assert_eq!(live(&sim).len(), 1);
    let mut sim = started(run(Some(10_000), 1));
    sim.progress(TaskId(1));
    sim.now_ms += 10_000;
    look(&mut sim);
    sim.progress(TaskId(1));
    sim.now_ms += 1_000;
    look(&mut sim);
    let next = live(&sim)[0];
    let end_ms = sim.now_ms + 10_000;
    assert_eq!(look(&mut sim), Some(end_ms), "each attempt has its own time");
    assert_eq!(sim.world.task(next).unwrap().deadline_ms(), Some(end_ms));
}

#[test]
fn success_and_a_user_s_stop_are_the_end() {
    let mut sim = started(run(None, 5));
    let stop = |sim: &mut Sim| {
        let (code, reason) = (StopCode::UserInitiated, "enough".into());
        sim.run(Command::StopTask { cluster: cluster(), task: TaskId(1), code, reason });
    };
    sim.progress(TaskId(1));
    stop(&mut sim);
    sim.progress(TaskId(1));
    assert_eq!(look(&mut sim), None);
    // Also between two attempts.
    let mut sim = started(run(None, 5));
    sim.fail(TaskId(1), FAILS);
    assert!(look(&mut sim).is_some());
    stop(&mut sim);
    assert_eq!(look(&mut sim), None);
    sim.now_ms += 1_000_000;
    look(&mut sim);
    assert_eq!(live(&sim), []);
}

#[test]
fn an_attempt_waits_for_room_and_is_not_forgotten() {
    let mut sim = started(run(None, 1));
    sim.fail(TaskId(1), FAILS);
    sim.run(Command::SetAgentConnected { id: InstanceId(1), connected: false });
    sim.now_ms += 1_000;
    let again_ms = sim.now_ms + 2_000;
    assert_eq!(look(&mut sim), Some(again_ms));
    assert_eq!(plan::reap(&sim.world, sim.now_ms, 1), []);
    sim.run(Command::Forget(vec![Forgettable::Task(TaskId(1))]));
    sim.run(Command::SetAgentConnected { id: InstanceId(1), connected: true });
    look(&mut sim);
    assert_eq!(live(&sim).len(), 1);
    sim.run(Command::Forget(plan::reap(&sim.world, sim.now_ms, 1)));
    assert_eq!(sim.world.task_count(), 1);
}

#[test]
fn where_the_cluster_is_gone_no_attempt_follows() {
    let mut sim = started(run(None, 1));
    sim.fail(TaskId(1), FAILS);
    sim.run(Command::DeleteCluster { key: cluster() });
    sim.now_ms += 1_000;
    look(&mut sim);
    assert_eq!(look(&mut sim), None);
    assert_eq!(live(&sim), []);
}

#[test]
fn a_further_attempt_keeps_to_the_rules_of_the_first() {
    let expression = Some("attribute:rack == r1".into());
    let constraint = PlacementConstraint { kind: ConstraintKind::MemberOf, expression };
    let mut sim = started(Run { constraints: vec![constraint], ..run(None, 1) });
    sim.fail(TaskId(1), FAILS);
    sim.now_ms = look(&mut sim).unwrap();
    let again_ms = look(&mut sim);
    assert_eq!(live(&sim), [], "the only instance is no member");
    assert_eq!(again_ms, Some(sim.now_ms + plan::reconcile::PLACE_AGAIN_MS));
    let rack = Attribute { name: "rack".into(), value: Some("r1".into()) };
    sim.join(Registration { attributes: vec![rack], ..instance(2, Home::Pool, Size::new(1024, 2048)) });
    look(&mut sim);
    let next = live(&sim);
    assert_eq!(
        next.iter().map(|id| sim.world.task(*id).unwrap().instance).collect::<Vec<_>>(),
        [InstanceId(2)]
    );
}
