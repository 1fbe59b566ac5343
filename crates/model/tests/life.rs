//! The life of a task, told by its events.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use support::*;

fn stop(id: u128) -> Command {
    Command::StopTask {
        cluster: cluster(),
        task: TaskId(id),
        code: StopCode::UserInitiated,
        reason: apply::STOPPED_BY_USER.into(),
    }
}

#[test]
fn a_whole_life() {
    let mut bench = Bench::ready();
    let mut all = bench.start(7);
    all.extend(bench.acknowledge(7, DesiredStatus::Running));
    let both = |status| vec![said("web", status), said("side", status)];
    all.extend(bench.report(7, report(ReportedStatus::Running, both(ContainerStatus::Running))));
    all.extend(bench.run(stop(7)));
    all.extend(bench.acknowledge(7, DesiredStatus::Stopped));
    all.extend(bench.report(7, report(ReportedStatus::Stopped, both(ContainerStatus::Stopped))));
    assert_snapshot!(told(&all), @r#"
    created PROVISIONING 10.90.0.2
    acknowledged RUNNING
    PENDING at 6000
    TaskConnected
    interface ATTACHED
    web RUNNING
    side RUNNING
    ACTIVATING at 7000
    RUNNING at 7000
    desired STOPPED: UserInitiated "Task stopped by user"
    DEACTIVATING at 8000
    STOPPING at 8000
    acknowledged STOPPED
    web STOPPED exit 0
    side STOPPED exit 0
    TaskTimed
    DEPROVISIONING at 10000
    interface DETACHING
    STOPPED at 10000
    interface DELETED
    "#);
    let task = bench.task(7);
    assert_eq!(task.stop.as_ref().unwrap().code, StopCode::UserInitiated);
    assert!(task.started_at_ms < task.stopping_at_ms && task.stopping_at_ms < task.stopped_at_ms);
    assert_eq!(bench.world.usage(InstanceId(1)), None, "all that it held is free");
}

#[test]
fn an_essential_container_exits() {
    let mut bench = Bench::ready();
    bench.running(7);
    let mut all = bench.report(
        7,
        TaskReport { containers: vec![said("web", ContainerStatus::Stopped)], ..Default::default() },
    );
    let side = vec![said("side", ContainerStatus::Stopped)];
    all.extend(bench.report(7, report(ReportedStatus::Stopped, side)));
    assert_snapshot!(told(&all), @r#"
    web STOPPED exit 0
    desired STOPPED: EssentialContainerExited "Essential container in task exited"
    DEACTIVATING at 8000
    STOPPING at 8000
    side STOPPED exit 0
    TaskTimed
    DEPROVISIONING at 9000
    interface DETACHING
    STOPPED at 9000
    interface DELETED
    "#);
}

#[test]
fn a_container_that_is_not_essential_may_end() {
    let mut bench = Bench::ready();
    bench.running(7);
    bench.report(7, report(ReportedStatus::Running, vec![said("side", ContainerStatus::Stopped)]));
    assert_eq!(bench.task(7).desired_status, DesiredStatus::Running);
    assert_eq!(bench.task(7).last_status, TaskStatus::Running);
}

#[test]
fn a_short_life_in_one_report_was_running() {
    let mut bench = Bench::ready();
    bench.start(7);
    let life = vec![said("web", ContainerStatus::Running), said("web", ContainerStatus::Stopped)];
    let all = bench.report(7, report(ReportedStatus::Stopped, life));
    assert_snapshot!(told(&all), @r#"
    acknowledged RUNNING
    PENDING at 6000
    TaskConnected
    interface ATTACHED
    web RUNNING
    ACTIVATING at 6000
    RUNNING at 6000
    web STOPPED exit 0
    TaskTimed
    desired STOPPED: EssentialContainerExited "Essential container in task exited"
    DEACTIVATING at 6000
    STOPPING at 6000
    DEPROVISIONING at 6000
    interface DETACHING
    side STOPPED
    STOPPED at 6000
    interface DELETED
    "#);
    assert!(bench.task(7).started_at_ms.is_some());
}

#[test]
fn one_report_may_hold_a_container_several_times() {
    let mut bench = Bench::ready();
    bench.start(7);
    // By the time that it is sent, the container that is said to run has ended.
    let mut running = said("side", ContainerStatus::Running);
    running.exit_code = Some(3);
    bench.report(
        7,
        report(ReportedStatus::Running, vec![running.clone(), said("web", ContainerStatus::Running)]),
    );
    let side = |bench: &Bench| bench.task(7).containers.iter().find(|c| &*c.name == "side").unwrap().clone();
    assert_eq!((side(&bench).last_status, side(&bench).exit_code), (ContainerStatus::Running, None));
    let mut stopped = said("side", ContainerStatus::Stopped);
    stopped.exit_code = Some(3);
    bench.report(7, report(ReportedStatus::Running, vec![running, stopped]));
    assert_eq!((side(&bench).last_status, side(&bench).exit_code), (ContainerStatus::Stopped, Some(3)));
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let mut bench = Bench::ready();
    bench.start(7);
    let mut web = said("web", ContainerStatus::Stopped);
    web.exit_code = None;
    web.runtime_id = None;
    web.reason = Some("CannotPullContainerError: no such image".into());
    bench.report(7, report(ReportedStatus::Stopped, vec![web]));
    let task = bench.task(7);
    let stop = task.stop.as_ref().unwrap();
    assert_eq!(
        (stop.code, &*stop.reason),
        (StopCode::TaskFailedToStart, "CannotPullContainerError: no such image")
    );
    assert_eq!(task.started_at_ms, None);
    assert_eq!(task.last_status, TaskStatus::Stopped);
}

#[test]
fn a_command_that_cannot_be_executed() {
    let mut bench = Bench::ready();
    bench.start(7);
    let mut web = said("web", ContainerStatus::Stopped);
    web.exit_code = Some(127);
    web.reason = Some("CannotStartContainerError: no such file".into());
    bench.report(7, report(ReportedStatus::Stopped, vec![web]));
    let stop = bench.task(7).stop.clone().unwrap();
    assert_eq!(
        (stop.code, &*stop.reason),
        (StopCode::TaskFailedToStart, "CannotStartContainerError: no such file")
    );
}

#[test]
fn late_and_repeated_reports_change_nothing() {
    let mut bench = Bench::ready();
    bench.running(7);
    let running = || report(ReportedStatus::Running, vec![said("web", ContainerStatus::Running)]);
    assert_eq!(bench.report(7, running()), []);
    assert_eq!(bench.acknowledge(7, DesiredStatus::Running), []);
    let stopped = || report(ReportedStatus::Stopped, vec![said("web", ContainerStatus::Stopped)]);
    bench.report(7, stopped());
    assert_eq!(bench.report(7, stopped()), []);
    assert_eq!(bench.report(7, running()), []);
    assert_eq!(bench.run(stop(7)), []);
}

#[test]
fn an_unknown_task_is_refused() {
    let mut bench = Bench::ready();
    assert_eq!(bench.attempt(&stop(7)), Err(Refusal::TaskNotFound(TaskId(7))));
    bench.start(7);
    let elsewhere = Command::StopTask {
        cluster: scope().cluster("other"),
        task: TaskId(7),
        code: StopCode::UserInitiated,
        reason: "no".into(),
    };
    assert_eq!(bench.attempt(&elsewhere), Err(Refusal::TaskNotFound(TaskId(7))));
}

#[test]
fn a_task_that_its_agent_never_heard_of_stops_at_once() {
    let mut bench = Bench::ready();
    bench.start(7);
    bench.run(Command::DropSessions);
    assert_snapshot!(told(&bench.run(stop(7))), @r#"
    desired STOPPED: UserInitiated "Task stopped by user"
    DEPROVISIONING at 7000
    interface DETACHING
    web STOPPED
    side STOPPED
    STOPPED at 7000
    interface DELETED
    "#);
}

#[test]
fn a_task_on_its_way_to_the_agent_waits_for_the_agent() {
    let mut bench = Bench::ready();
    bench.start(7);
    bench.run(stop(7));
    assert_eq!(bench.task(7).last_status, TaskStatus::Stopping);
    assert!(bench.task(7).awaits_agent());
    // The confirmation of the first payload says nothing of the stop.
    bench.acknowledge(7, DesiredStatus::Running);
    assert!(bench.task(7).awaits_agent());
    bench.report(7, report(ReportedStatus::Running, vec![]));
    assert_eq!(bench.task(7).last_status, TaskStatus::Stopping, "RUNNING is not taken any more");
    bench.report(7, report(ReportedStatus::Stopped, vec![]));
    assert_eq!(bench.task(7).last_status, TaskStatus::Stopped);
    assert_eq!(bench.task(7).stop.as_ref().unwrap().code, StopCode::UserInitiated);
}

#[test]
fn addresses_are_given_once_and_run_out() {
    let mut bench = Bench::ready();
    // A /29 has five addresses beside network, gateway and broadcast; the size allows four tasks.
    bench.run(Command::RegisterInstance(
        Registration { total: Size::new(8192, 8192), ..registration(1) }.into(),
    ));
    for id in 1..=5 {
        bench.start(id);
    }
    let mut addresses: Vec<_> = (1..=5).map(|id| bench.task(id).eni.clone().unwrap().address).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 5);
    let sixth = Command::StartTasks { tasks: vec![task(6, 1)], token: None };
    let stale = Refusal::StaleSnapshot(refusal::Stale::Address(InstanceId(1)));
    assert_eq!(bench.attempt(&sixth), Err(stale));
}

#[test]
fn a_token_makes_a_call_happen_once() {
    let mut bench = Bench::ready();
    let call = |id, fingerprint: &str| Command::StartTasks {
        tasks: vec![task(id, 1)],
        token: Some(Token {
            operation: "RunTask".into(),
            token: "t/1".into(),
            fingerprint: fingerprint.into(),
        }),
    };
    bench.run(call(1, "a"));
    let done = Refusal::AlreadyDone(TokenResult::Tasks(vec![TaskId(1)]));
    assert_eq!(bench.attempt(&call(2, "a")), Err(done));
    assert_eq!(bench.attempt(&call(3, "b")), Err(Refusal::TokenReused));
    bench.now_ms += TOKEN_LIFETIME_MS;
    bench.run(call(4, "b"));
}

#[test]
fn an_instance_registers_once_with_a_token() {
    let mut bench = Bench::ready();
    let token =
        Token { operation: "RegisterContainerInstance".into(), token: "t".into(), fingerprint: "".into() };
    let with_token = |id| Registration { token: Some((cluster().scope, token.clone())), ..registration(id) };
    bench.run(Command::RegisterInstance(with_token(7).into()));
    let again = bench.attempt(&Command::RegisterInstance(with_token(8).into()));
    assert_eq!(again, Err(Refusal::AlreadyDone(TokenResult::Instance(InstanceId(7)))));
    assert!(bench.world.instance(InstanceId(8)).is_none());
}

#[test]
fn the_end_of_a_session_says_nothing_of_a_later_one() {
    let mut bench = Bench::ready();
    let id = InstanceId(1);
    let session = |bench: &Bench| bench.world.instance(id).unwrap().session;
    let is_there = |bench: &Bench| bench.world.instance(id).unwrap().agent_connected;
    bench.run(Command::SetAgentConnected { id, connected: true });
    let first = session(&bench);
    bench.run(Command::SetAgentConnected { id, connected: true });
    assert_eq!(bench.run(Command::EndSession { id, session: first }), []);
    assert!(is_there(&bench));
    let session = session(&bench);
    bench.run(Command::EndSession { id, session });
    assert!(!is_there(&bench));
}

#[test]
fn a_stop_that_nobody_asked_for_is_not_confirmed() {
    let mut bench = Bench::ready();
    bench.start(7);
    bench.acknowledge(7, DesiredStatus::Stopped);
    assert_eq!(bench.task(7).acknowledged, Some(DesiredStatus::Running));
    bench.run(stop(7));
    assert!(bench.task(7).awaits_agent(), "the agent must still be told");
}
