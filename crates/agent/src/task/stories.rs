//! The main stories as golden traces: what was seen, and what was done about it.

use std::fmt::Write as _;

use super::*;
use Observation as O;

pub(super) fn container(name: &str, essential: bool) -> ContainerSpec {
    ContainerSpec {
        name: name.into(),
        essential,
        depends_on: vec![],
        start_timeout_ms: None,
        stop_timeout_ms: 30_000,
        health: None,
        restart: None,
    }
}

fn tell(containers: Vec<ContainerSpec>, seen: Vec<(u64, O)>) -> String {
    tell_of(TaskState::new(TaskSpec { arn: "t".into(), containers }), seen)
}

pub(super) fn tell_of(mut state: TaskState, seen: Vec<(u64, O)>) -> String {
    let mut out = String::new();
    for (now_ms, observation) in seen {
        writeln!(out, "{now_ms}: {observation:?}").expect("a String takes everything");
        let (next, actions) = step(&state, observation, now_ms);
        for action in actions {
            match action {
                Action::Report(r) => {
                    write!(out, "    report {}", r.status.as_str()).expect("a String");
                    for c in r.containers {
                        write!(out, " [{} {}", c.name, c.status.as_str()).expect("a String");
                        if let Some(code) = c.exit_code {
                            write!(out, " exit {code}").expect("a String");
                        }
                        if let Some(reason) = c.reason {
                            write!(out, " {reason}").expect("a String");
                        }
                        out.push(']');
                    }
                    if let Some(reason) = r.reason {
                        write!(out, " because {reason}").expect("a String");
                    }
                    out.push('\n');
                }
                other => writeln!(out, "    {other:?}").expect("a String"),
            }
        }
        state = next;
    }
    if state.is_over() {
        out.push_str("over\n");
    }
    out
}

fn up(container: usize) -> [(u64, O); 3] {
    [
        (2, O::Pulled { container, digest: "sha256:1".into() }),
        (3, O::Created { container, runtime_id: "r".into() }),
        (4, O::Started { container }),
    ]
}

pub(super) fn exit(container: usize, code: i32) -> O {
    O::Exited { container, code: Some(code), oom: false, reason: None, at_ms: 0 }
}

#[test]
fn one_container_runs_and_exits() {
    let mut seen = vec![(0, O::Desired(Desired::Running)), (1, O::NetworkAttached)];
    seen.extend(up(0));
    seen.extend([(9, exit(0, 7)), (10, O::Deleted { container: 0 }), (11, O::NetworkDetached)]);
    insta::assert_snapshot!(tell(vec![container("web", true)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
1: NetworkAttached
2: Pulled { container: 0, digest: "sha256:1" }
    Create { container: 0 }
3: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
4: Started { container: 0 }
    report RUNNING [web RUNNING]
9: Exited { container: 0, code: Some(7), oom: false, reason: None, at_ms: 0 }
    Delete { container: 0 }
10: Deleted { container: 0 }
    DetachNetwork
11: NetworkDetached
    report STOPPED [web STOPPED exit 7]
over
"#);
}

#[test]
fn a_stop_is_polite_and_then_is_not() {
    let mut seen = vec![(0, O::Desired(Desired::Running)), (1, O::NetworkAttached)];
    seen.extend(up(0));
    seen.extend([
        (100, O::Desired(Desired::Stopped)),
        (101, O::Desired(Desired::Stopped)),
        (30_100, O::Due(Timer::Kill { container: 0 })),
        (30_101, exit(0, 137)),
        (30_102, O::Deleted { container: 0 }),
        (30_103, O::NetworkDetached),
    ]);
    insta::assert_snapshot!(tell(vec![container("web", true)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
1: NetworkAttached
2: Pulled { container: 0, digest: "sha256:1" }
    Create { container: 0 }
3: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
4: Started { container: 0 }
    report RUNNING [web RUNNING]
100: Desired(Stopped)
    Stop { container: 0 }
    SetTimer { timer: Kill { container: 0 }, due_ms: 30100 }
101: Desired(Stopped)
30100: Due(Kill { container: 0 })
    Kill { container: 0 }
30101: Exited { container: 0, code: Some(137), oom: false, reason: None, at_ms: 0 }
    Delete { container: 0 }
30102: Deleted { container: 0 }
    DetachNetwork
30103: NetworkDetached
    report STOPPED [web STOPPED exit 137]
over
"#);
}

#[test]
fn what_is_depended_on_starts_first_and_stops_last() {
    let mut app = container("app", true);
    app.depends_on.push(Dependency { on: 1, condition: Condition::Start });
    app.depends_on.push(Dependency { on: 2, condition: Condition::Success });
    let containers = vec![app, container("proxy", true), container("migrate", false)];
    let mut seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkAttached),
        (1, O::Pulled { container: 0, digest: "sha256:1".into() }),
    ];
    seen.extend(up(1));
    seen.extend(up(2));
    seen.extend([
        (5, exit(2, 0)),
        (6, O::Deleted { container: 2 }),
        (7, O::Created { container: 0, runtime_id: "r".into() }),
        (8, O::Started { container: 0 }),
        (50, O::Desired(Desired::Stopped)),
        (51, exit(0, 143)),
        (52, O::Deleted { container: 0 }),
        (53, exit(1, 0)),
        (54, O::Deleted { container: 1 }),
        (55, O::NetworkDetached),
    ]);
    insta::assert_snapshot!(tell(containers, seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
    Pull { container: 1 }
    Pull { container: 2 }
1: NetworkAttached
1: Pulled { container: 0, digest: "sha256:1" }
2: Pulled { container: 1, digest: "sha256:1" }
    Create { container: 1 }
3: Created { container: 1, runtime_id: "r" }
    Start { container: 1 }
4: Started { container: 1 }
2: Pulled { container: 2, digest: "sha256:1" }
    Create { container: 2 }
3: Created { container: 2, runtime_id: "r" }
    Start { container: 2 }
4: Started { container: 2 }
5: Exited { container: 2, code: Some(0), oom: false, reason: None, at_ms: 0 }
    Create { container: 0 }
    Delete { container: 2 }
6: Deleted { container: 2 }
7: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
8: Started { container: 0 }
    report RUNNING [app RUNNING] [proxy RUNNING] [migrate RUNNING] [migrate STOPPED exit 0]
50: Desired(Stopped)
    Stop { container: 0 }
    SetTimer { timer: Kill { container: 0 }, due_ms: 30050 }
51: Exited { container: 0, code: Some(143), oom: false, reason: None, at_ms: 0 }
    Stop { container: 1 }
    SetTimer { timer: Kill { container: 1 }, due_ms: 30051 }
    Delete { container: 0 }
    report RUNNING [app STOPPED exit 143]
52: Deleted { container: 0 }
53: Exited { container: 1, code: Some(0), oom: false, reason: None, at_ms: 0 }
    Delete { container: 1 }
54: Deleted { container: 1 }
    DetachNetwork
55: NetworkDetached
    report STOPPED [proxy STOPPED exit 0]
over
"#);
}

#[test]
fn who_takes_volumes_waits_until_they_are_made() {
    let mut app = container("app", true);
    app.depends_on.push(Dependency { on: 1, condition: Condition::Create });
    let begun = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkAttached),
        (1, O::Pulled { container: 0, digest: "sha256:1".into() }),
        (2, O::Pulled { container: 1, digest: "sha256:1".into() }),
    ];
    let then = |last: O| {
        let seen = [begun.clone(), vec![(3, last)]].concat();
        tell(vec![app.clone(), container("data", false)], seen)
    };
    let waited = then(O::Created { container: 1, runtime_id: "r".into() });
    let (before, after) = waited.split_once("3: ").expect("the last observation");
    assert!(
        !before.contains("Create { container: 0 }") && after.contains("Create { container: 0 }"),
        "{waited}"
    );
    let failed = then(O::CreateFailed { container: 1, reason: "CannotCreateVolumeError: full".into() });
    assert!(!failed.contains("Create { container: 0 }"), "{failed}");
    assert!(failed.ends_with("Delete { container: 1 }\n"), "{failed}");
}

#[test]
fn a_failed_migration_keeps_the_app_from_starting() {
    let mut app = container("app", true);
    app.depends_on.push(Dependency { on: 1, condition: Condition::Success });
    let mut seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkAttached),
        (1, O::Pulled { container: 0, digest: "sha256:1".into() }),
    ];
    seen.extend(up(1));
    seen.extend([(5, exit(1, 3)), (6, O::Deleted { container: 1 }), (7, O::NetworkDetached)]);
    insta::assert_snapshot!(tell(vec![app, container("migrate", false)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
    Pull { container: 1 }
1: NetworkAttached
1: Pulled { container: 0, digest: "sha256:1" }
2: Pulled { container: 1, digest: "sha256:1" }
    Create { container: 1 }
3: Created { container: 1, runtime_id: "r" }
    Start { container: 1 }
4: Started { container: 1 }
5: Exited { container: 1, code: Some(3), oom: false, reason: None, at_ms: 0 }
    Delete { container: 1 }
6: Deleted { container: 1 }
    DetachNetwork
7: NetworkDetached
    report STOPPED [app STOPPED exit 143 CannotStartContainerError: dependency container migrate did not exit successfully (exit code 3)] [migrate RUNNING] [migrate STOPPED exit 3]
over
"#);
}

#[test]
fn patience_ends_with_the_start_timeout() {
    let mut app = container("app", true);
    app.depends_on.push(Dependency { on: 1, condition: Condition::Complete });
    let mut slow = container("slow", false);
    slow.start_timeout_ms = Some(2_000);
    let mut seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkAttached),
        (1, O::Pulled { container: 0, digest: "sha256:1".into() }),
    ];
    seen.extend(up(1));
    seen.push((2_004, O::Due(Timer::Start { container: 1 })));
    insta::assert_snapshot!(tell(vec![app, slow], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
    Pull { container: 1 }
1: NetworkAttached
1: Pulled { container: 0, digest: "sha256:1" }
2: Pulled { container: 1, digest: "sha256:1" }
    Create { container: 1 }
3: Created { container: 1, runtime_id: "r" }
    Start { container: 1 }
4: Started { container: 1 }
    SetTimer { timer: Start { container: 1 }, due_ms: 2004 }
2004: Due(Start { container: 1 })
    Stop { container: 1 }
    SetTimer { timer: Kill { container: 1 }, due_ms: 32004 }
"#);
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::PullFailed { container: 0, reason: "CannotPullContainerError: not found".into() }),
        (2, O::NetworkAttached),
        (3, O::NetworkDetached),
    ];
    insta::assert_snapshot!(tell(vec![container("web", true)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
1: PullFailed { container: 0, reason: "CannotPullContainerError: not found" }
2: NetworkAttached
    DetachNetwork
3: NetworkDetached
    report STOPPED [web STOPPED CannotPullContainerError: not found]
over
"#);
}

#[test]
fn a_network_that_cannot_be_had() {
    let seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkFailed { reason: "no address".into() }),
        (2, O::NetworkDetached),
        (3, O::Pulled { container: 0, digest: "sha256:1".into() }),
    ];
    insta::assert_snapshot!(tell(vec![container("web", true)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
1: NetworkFailed { reason: "no address" }
    DetachNetwork
2: NetworkDetached
    report STOPPED [web STOPPED] because ResourceInitializationError: no address
3: Pulled { container: 0, digest: "sha256:1" }
over
"#);
}

#[test]
fn stopped_before_it_began() {
    let seen = vec![(0, O::Desired(Desired::Stopped)), (1, O::Desired(Desired::Running))];
    insta::assert_snapshot!(tell(vec![container("web", true)], seen), @r#"
0: Desired(Stopped)
    report STOPPED [web STOPPED]
1: Desired(Running)
over
"#);
}

#[test]
fn a_restart_of_the_agent_begins_again_what_it_interrupted() {
    let mut seen = vec![(0, O::Desired(Desired::Running)), (1, O::NetworkAttached)];
    seen.extend(up(0));
    seen.push((5, O::Pulled { container: 1, digest: "sha256:2".into() }));
    seen.push((9, O::Adopted { found: vec![Found::Running, Found::Nothing] }));
    seen.push((10, O::Created { container: 1, runtime_id: "r".into() }));
    seen.push((11, O::Started { container: 1 }));
    seen.push((
        20,
        O::Adopted {
            found: vec![
                Found::Running,
                Found::Exited { code: None, oom: true, reason: Some("gone".into()), at_ms: 0 },
            ],
        },
    ));
    insta::assert_snapshot!(tell(vec![container("web", true), container("side", false)], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
    Pull { container: 1 }
1: NetworkAttached
2: Pulled { container: 0, digest: "sha256:1" }
    Create { container: 0 }
3: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
4: Started { container: 0 }
5: Pulled { container: 1, digest: "sha256:2" }
    Create { container: 1 }
9: Adopted { found: [Running, Nothing] }
    Create { container: 1 }
10: Created { container: 1, runtime_id: "r" }
    Start { container: 1 }
11: Started { container: 1 }
    report RUNNING [web RUNNING] [side RUNNING]
20: Adopted { found: [Running, Exited { code: None, oom: true, reason: Some("gone"), at_ms: 0 }] }
    Delete { container: 1 }
    report RUNNING [side STOPPED OutOfMemoryError: Container killed due to memory usage]
"#);
}

#[test]
fn the_app_waits_until_the_database_is_healthy() {
    let mut app = container("app", true);
    app.depends_on.push(Dependency { on: 1, condition: Condition::Healthy });
    let mut db = container("db", true);
    db.start_timeout_ms = Some(60_000);
    db.health = Some(HealthCheck { interval_ms: 30_000, timeout_ms: 5_000, retries: 3, start_period_ms: 0 });
    let mut seen = vec![
        (0, O::Desired(Desired::Running)),
        (1, O::NetworkAttached),
        (1, O::Pulled { container: 0, digest: "sha256:1".into() }),
    ];
    seen.extend(up(1));
    seen.extend([
        (254, O::Due(Timer::Check { container: 1 })),
        (260, O::Checked { container: 1, run: 1, passed: false }),
        (516, O::Due(Timer::Check { container: 1 })),
        (520, O::Adopted { found: vec![Found::Nothing, Found::Running] }),
        (520, O::Due(Timer::Check { container: 1 })),
        (521, O::Checked { container: 1, run: 2, passed: true }),
        (522, O::Checked { container: 1, run: 3, passed: true }),
        (523, O::Created { container: 0, runtime_id: "r".into() }),
        (524, O::Started { container: 0 }),
        (60_004, O::Due(Timer::Start { container: 1 })),
        (60_010, O::Desired(Desired::Stopped)),
        (60_011, O::Due(Timer::Check { container: 1 })),
    ]);
    insta::assert_snapshot!(tell(vec![app, db], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
    Pull { container: 1 }
1: NetworkAttached
1: Pulled { container: 0, digest: "sha256:1" }
2: Pulled { container: 1, digest: "sha256:1" }
    Create { container: 1 }
3: Created { container: 1, runtime_id: "r" }
    Start { container: 1 }
4: Started { container: 1 }
    SetTimer { timer: Check { container: 1 }, due_ms: 254 }
    SetTimer { timer: Start { container: 1 }, due_ms: 60004 }
254: Due(Check { container: 1 })
    Check { container: 1, run: 1, timeout_ms: 5000 }
260: Checked { container: 1, run: 1, passed: false }
    SetTimer { timer: Check { container: 1 }, due_ms: 516 }
516: Due(Check { container: 1 })
    Check { container: 1, run: 2, timeout_ms: 5000 }
520: Adopted { found: [Nothing, Running] }
    SetTimer { timer: Check { container: 1 }, due_ms: 516 }
    SetTimer { timer: Start { container: 1 }, due_ms: 60004 }
520: Due(Check { container: 1 })
    Check { container: 1, run: 3, timeout_ms: 5000 }
521: Checked { container: 1, run: 2, passed: true }
522: Checked { container: 1, run: 3, passed: true }
    SetTimer { timer: Check { container: 1 }, due_ms: 30522 }
    Create { container: 0 }
523: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
524: Started { container: 0 }
    report RUNNING [app RUNNING] [db RUNNING]
60004: Due(Start { container: 1 })
60010: Desired(Stopped)
    Stop { container: 0 }
    SetTimer { timer: Kill { container: 0 }, due_ms: 90010 }
60011: Due(Check { container: 1 })
"#);
}

#[test]
fn a_restart_policy_runs_it_again_unless_it_ends_too_soon() {
    let mut web = container("web", true);
    web.restart = Some(RestartPolicy { ignored_exit_codes: vec![0], attempt_period_ms: 60_000 });
    let ended = |at_ms| O::Exited { container: 0, code: Some(1), oom: false, reason: None, at_ms };
    let mut seen = vec![(0, O::Desired(Desired::Running)), (1, O::NetworkAttached)];
    seen.extend(up(0));
    seen.extend([
        (60_004, ended(60_004)),
        (60_004, ended(60_004)),
        (60_010, O::Restarted { container: 0 }),
        (70_000, ended(70_000)),
        (70_001, O::Deleted { container: 0 }),
        (70_002, O::NetworkDetached),
    ]);
    insta::assert_snapshot!(tell(vec![web], seen), @r#"
0: Desired(Running)
    AttachNetwork
    Pull { container: 0 }
1: NetworkAttached
2: Pulled { container: 0, digest: "sha256:1" }
    Create { container: 0 }
3: Created { container: 0, runtime_id: "r" }
    Start { container: 0 }
4: Started { container: 0 }
    report RUNNING [web RUNNING]
60004: Exited { container: 0, code: Some(1), oom: false, reason: None, at_ms: 60004 }
    Restart { container: 0 }
60004: Exited { container: 0, code: Some(1), oom: false, reason: None, at_ms: 60004 }
60010: Restarted { container: 0 }
70000: Exited { container: 0, code: Some(1), oom: false, reason: None, at_ms: 70000 }
    Delete { container: 0 }
70001: Deleted { container: 0 }
    DetachNetwork
70002: NetworkDetached
    report STOPPED [web STOPPED exit 1]
over
"#);
}
