//! Which GPUs a task gets, and when they are free again.

mod support;

use model::{command::*, refusal::Stale, *};
use support::*;

/// An instance with three GPUs, and a definition whose `web` asks for one.
fn bench() -> Bench {
    let mut bench = Bench::ready();
    bench.run(Command::RegisterInstance(with(&["a", "b", "c"]).into()));
    let mut one = definition("one");
    one.containers[0].gpus = 1;
    bench.run(Command::RegisterTaskDefinition(one.into()));
    bench
}

fn with(gpus: &[&str]) -> Registration {
    Registration { gpus: gpus.iter().map(|id| (*id).into()).collect(), ..registration(1) }
}

fn new(id: u128, gpus: Option<Vec<u32>>) -> NewTask {
    let definition = DefinitionRef { family: "one".into(), revision: Revision(1) };
    NewTask { definition, gpus, ..task(id, 1) }
}

fn start(bench: &mut Bench, id: u128, gpus: Option<Vec<u32>>) -> Result<(), Refusal> {
    bench.attempt(&Command::StartTasks { tasks: vec![new(id, gpus)], token: None }).map(drop)
}

fn of(bench: &Bench, id: u128) -> Vec<Vec<String>> {
    let ids = |container: &Container| container.gpus.iter().map(ToString::to_string).collect();
    bench.task(id).containers.iter().map(ids).collect()
}

#[test]
fn each_container_has_its_own_until_the_task_is_stopped() {
    let mut bench = bench();
    start(&mut bench, 1, None).unwrap();
    assert_eq!(of(&bench, 1), [vec!["a"], vec![]]);
    start(&mut bench, 2, Some(vec![1, 1])).unwrap();
    assert_eq!(of(&bench, 2), [["b"], ["c"]]);
    let none_left = Err(Refusal::StaleSnapshot(Stale::Gpu(InstanceId(1))));
    assert_eq!(start(&mut bench, 3, None), none_left);
    // One that is to stop has them still.
    let (code, reason) = (StopCode::UserInitiated, "enough".into());
    bench.run(Command::StopTask { cluster: cluster(), task: TaskId(1), code, reason });
    assert_eq!(start(&mut bench, 3, None), none_left);
    bench.report(1, report(ReportedStatus::Stopped, vec![]));
    start(&mut bench, 3, None).unwrap();
    assert_eq!(
        (of(&bench, 3)[0].as_slice(), of(&bench, 1)[0].as_slice()),
        (&["a".into()][..], &["a".into()][..])
    );
}

#[test]
fn two_calls_that_were_planned_on_one_state_never_share_one() {
    let mut bench = bench();
    bench.run(Command::RegisterInstance(with(&["a"]).into()));
    let mut transaction = Transaction::on(&bench.world);
    let one = |id| Command::StartTasks { tasks: vec![new(id, None)], token: None };
    assert!(transaction.decide(&one(1), 1).is_ok());
    assert_eq!(
        transaction.decide(&one(2), 1).map(drop),
        Err(Refusal::StaleSnapshot(Stale::Gpu(InstanceId(1))))
    );
}

#[test]
fn an_instance_that_comes_back_with_others_gives_those() {
    let mut bench = bench();
    start(&mut bench, 1, Some(vec![2, 0])).unwrap();
    bench.run(Command::RegisterInstance(with(&["b", "d"]).into()));
    let instance = bench.world.instance(InstanceId(1)).unwrap();
    assert_eq!(
        bench.world.free_gpus(instance).map(|id| &**id).collect::<Vec<_>>(),
        ["d"],
        "b is held, a is gone"
    );
    start(&mut bench, 2, None).unwrap();
    assert_eq!(of(&bench, 2)[0], ["d"]);
    assert!(start(&mut bench, 3, Some(vec![u32::MAX, u32::MAX])).is_err());
}
