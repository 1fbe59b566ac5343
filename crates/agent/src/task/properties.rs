//! What holds for every task and every sequence of observations, sensible or not.

use proptest::prelude::*;

use super::*;

fn spec() -> impl Strategy<Value = TaskSpec> {
    let container = (
        any::<bool>(),
        0u8..5,
        any::<bool>(),
        prop::option::of(0u64..50),
        prop::option::of(health()),
        prop::option::of(0u64..50),
    );
    prop::collection::vec(container, 1..5).prop_map(|containers| TaskSpec {
        arn: "task".into(),
        containers: containers
            .into_iter()
            .enumerate()
            .map(|(i, (essential, condition, depends, start_timeout_ms, health, restart))| ContainerSpec {
                name: format!("c{i}"),
                essential,
                depends_on: (depends && i > 0)
                    .then(|| Dependency {
                        on: i - 1,
                        condition: [
                            Condition::Create,
                            Condition::Start,
                            Condition::Complete,
                            Condition::Success,
                            Condition::Healthy,
                        ][condition as usize],
                    })
                    .into_iter()
                    .collect(),
                start_timeout_ms,
                stop_timeout_ms: 30,
                health,
                restart: restart.map(|attempt_period_ms| RestartPolicy {
                    ignored_exit_codes: vec![0],
                    attempt_period_ms,
                }),
            })
            .collect(),
    })
}

fn health() -> impl Strategy<Value = HealthCheck> {
    (1u64..50, 1u64..50, 1u32..4, 0u64..50).prop_map(|(interval_ms, timeout_ms, retries, start_period_ms)| {
        HealthCheck { interval_ms, timeout_ms, retries, start_period_ms }
    })
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        Just(Found::Nothing),
        Just(Found::Created),
        Just(Found::Running),
        Just(Found::Exited { code: Some(1), oom: false, reason: None, at_ms: 0 }),
        Just(Found::Exited { code: Some(1), oom: false, reason: None, at_ms: 7 }),
    ]
}

fn observation() -> impl Strategy<Value = Observation> {
    use Observation as O;
    let c = 0usize..6;
    let why = || "why".to_owned();
    let code = prop::option::of(prop_oneof![Just(0), Just(1), Just(137)]);
    prop_oneof![
        2 => Just(O::Desired(Desired::Running)),
        1 => Just(O::Desired(Desired::Stopped)),
        4 => Just(O::NetworkAttached),
        1 => Just(O::NetworkFailed { reason: why() }),
        2 => Just(O::NetworkDetached),
        6 => c.clone().prop_map(|container| O::Pulled { container, digest: "sha256:0".into() }),
        1 => c.clone().prop_map(move |container| O::PullFailed { container, reason: why() }),
        6 => c.clone().prop_map(|container| O::Created { container, runtime_id: "r".into() }),
        1 => c.clone().prop_map(move |container| O::CreateFailed { container, reason: why() }),
        6 => c.clone().prop_map(|container| O::Started { container }),
        1 => c.clone().prop_map(move |container| O::StartFailed { container, reason: why() }),
        4 => (c.clone(), code, any::<bool>())
            .prop_map(|(container, code, oom)| O::Exited { container, code, oom, reason: None, at_ms: 0 }),
        2 => c.clone().prop_map(|container| O::Restarted { container }),
        1 => c.clone().prop_map(move |container| O::RestartFailed { container, reason: why() }),
        3 => (c.clone(), 0u64..4, any::<bool>())
            .prop_map(|(container, run, passed)| O::Checked { container, run, passed }),
        2 => c.clone().prop_map(|container| O::Due(Timer::Check { container })),
        4 => c.clone().prop_map(|container| O::Deleted { container }),
        1 => c.clone().prop_map(|container| O::Due(Timer::Kill { container })),
        1 => c.prop_map(|container| O::Due(Timer::Start { container })),
        1 => prop::collection::vec(found(), 0..6).prop_map(|found| O::Adopted { found }),
    ]
}

/// Answers an action as a machine on which everything works would.
fn obey(action: &Action) -> Vec<Observation> {
    use Observation as O;
    match *action {
        Action::AttachNetwork => vec![O::NetworkAttached],
        Action::Pull { container } => vec![O::Pulled { container, digest: "sha256:0".into() }],
        Action::Create { container } => vec![O::Created { container, runtime_id: "r".into() }],
        Action::Start { container } => vec![O::Started { container }],
        Action::Stop { .. } => vec![],
        Action::Kill { container } => {
            vec![O::Exited { container, code: Some(137), oom: false, reason: None, at_ms: 0 }]
        }
        Action::Restart { container } => vec![O::Restarted { container }],
        Action::Check { container, run, .. } => vec![O::Checked { container, run, passed: run % 2 == 0 }],
        Action::Delete { container } => vec![O::Deleted { container }],
        Action::DetachNetwork => vec![O::NetworkDetached],
        Action::SetTimer { timer, .. } => vec![O::Due(timer)],
        Action::Report(_) => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No sequence panics, moves a phase or a reported status back, or starts anything after the
    /// task was told to stop; a report never repeats what an earlier one said of a container.
    #[test]
    fn every_sequence_moves_forward(spec in spec(), seen in prop::collection::vec(observation(), 0..80)) {
        let mut state = TaskState::new(spec);
        let mut said = Known::Nothing;
        for (at, observation) in seen.into_iter().enumerate() {
            let was_stopping = state.stopping;
            let (next, actions) = step(&state, observation, at as u64);
            for (before, after) in state.containers.iter().zip(&next.containers) {
                let restarted = before.phase == Phase::Restarting && after.phase == Phase::Running;
                prop_assert!(after.phase >= before.phase || restarted, "{before:?} -> {after:?}");
                let counted = u32::from(actions.iter().any(|a| matches!(a, Action::Restart { .. })));
                prop_assert!((before.restarts..=before.restarts + counted).contains(&after.restarts));
            }
            prop_assert!(next.desired >= state.desired);
            prop_assert!(next.network >= state.network);
            for action in &actions {
                if was_stopping {
                    let harmless = match action {
                        Action::Check { .. } => false,
                        // Only the repetition of a restart that a crash interrupted.
                        Action::Restart { container } => state.containers[*container].phase == Phase::Restarting,
                        Action::Pull { .. } | Action::Create { .. } | Action::AttachNetwork =>
                            // Only the repetition of an interrupted step, which then ends in Delete.
                            state == next || state.containers.iter().any(|c| c.phase <= Phase::Starting) || state.network == NetworkPhase::Attaching,
                        _ => true,
                    };
                    prop_assert!(harmless, "{action:?} after the stop began");
                }
                if let Action::Report(change) = action {
                    prop_assert!(change.status >= said);
                    prop_assert!(said != Known::Stopped, "a word after STOPPED");
                    said = change.status;
                }
            }
            state = next;
        }
    }

    /// An observation that arrives a second time changes nothing and asks for nothing.
    #[test]
    fn a_repeated_observation_is_harmless(spec in spec(), seen in prop::collection::vec(observation(), 0..40)) {
        let (mut state, _) = step(&TaskState::new(spec), Observation::Desired(Desired::Running), 0);
        for (at, observation) in seen.into_iter().enumerate() {
            let restart = matches!(observation, Observation::Adopted { .. } | Observation::Due(_));
            let (once, _) = step(&state, observation.clone(), at as u64);
            if !restart {
                let (twice, actions) = step(&once, observation, at as u64);
                prop_assert_eq!(&twice, &once);
                prop_assert_eq!(actions, vec![]);
            }
            state = once;
        }
    }

    /// Whatever happened before, a task that is told to stop on a machine that works ends, with
    /// nothing left and STOPPED said once; everything that was started has been deleted.
    #[test]
    fn a_stop_always_ends(spec in spec(), seen in prop::collection::vec(observation(), 0..40)) {
        let mut state = TaskState::new(spec);
        let mut open: Vec<Action> = Vec::new();
        let mut stopped_said = 0;
        let all = seen.into_iter().chain([Observation::Desired(Desired::Stopped)]);
        for (at, observation) in all.enumerate() {
            let (next, actions) = step(&state, observation, at as u64);
            open.extend(actions);
            state = next;
        }
        let mut at = 1000;
        while !open.is_empty() {
            let action = open.remove(0);
            if let Action::Report(change) = &action {
                stopped_said += u32::from(change.status == Known::Stopped);
            }
            at += 1000;
            for observation in obey(&action) {
                let (next, actions) = step(&state, observation, at);
                open.extend(actions);
                state = next;
            }
        }
        prop_assert!(state.is_over(), "{state:#?}");
        prop_assert_eq!(stopped_said, 1);
    }

    /// A task whose state was lost starts nothing, whatever is found of it, and ends with STOPPED said once.
    #[test]
    fn an_unknown_state_only_ends(spec in spec(), found in prop::collection::vec(found(), 0..6)) {
        let mut state = TaskState::unknown(spec.clone(), "why".into());
        // Without a word about a container nothing is left of it.
        let all = found.into_iter().chain(std::iter::repeat(Found::Nothing)).take(spec.containers.len()).collect();
        let mut open = vec![];
        let (next, actions) = step(&state, Observation::Adopted { found: all }, 0);
        state = next;
        open.extend(actions);
        let (mut at, mut stopped) = (0, 0);
        while let Some(action) = (!open.is_empty()).then(|| open.remove(0)) {
            at += 1000;
            let ends = matches!(
                action,
                Action::Stop { .. } | Action::Kill { .. } | Action::Delete { .. } | Action::DetachNetwork
                    | Action::SetTimer { .. } | Action::Report(_)
            );
            prop_assert!(ends, "{action:?}");
            if let Action::Report(change) = &action && change.status == Known::Stopped {
                prop_assert_eq!(change.reason.as_deref(), Some("why"));
                stopped += 1;
            }
            for observation in obey(&action) {
                let (next, actions) = step(&state, observation, at);
                state = next;
                open.extend(actions);
            }
        }
        prop_assert!(state.is_over(), "{state:#?}");
        prop_assert_eq!(stopped, 1);
    }

    /// On a machine that works a task without dependencies comes up, and the end of an essential
    /// container takes all others down.
    #[test]
    fn an_essential_exit_stops_the_task(mut spec in spec(), which in 0usize..5) {
        for c in &mut spec.containers { c.depends_on.clear(); c.essential = true; c.restart = None; }
        let which = which % spec.containers.len();
        let mut state = TaskState::new(spec);
        let mut open = vec![];
        let exit = Observation::Exited { container: which, code: Some(0), oom: false, reason: None, at_ms: 0 };
        let (next, actions) = step(&state, Observation::Desired(Desired::Running), 0);
        state = next;
        open.extend(actions);
        let mut seen_running = false;
        let mut at = 0;
        while let Some(action) = (!open.is_empty()).then(|| open.remove(0)) {
            at += 1000;
            let mut answers = obey(&action);
            if let Action::Report(change) = &action && change.status == Known::Running {
                seen_running = true;
                answers.push(exit.clone());
            }
            for observation in answers {
                let (next, actions) = step(&state, observation, at);
                state = next;
                open.extend(actions);
            }
        }
        prop_assert!(seen_running);
        prop_assert!(state.is_over());
    }

    /// A restart follows an end that the policy covers and no stop, once for each; whoever looks from
    /// outside sees a container that runs on.
    #[test]
    fn a_restart_is_seen_by_nobody(code in 0i32..3, ran_ms in 0u64..100, period_ms in 0u64..100, stops: bool) {
        let spec = ContainerSpec {
            name: "c".into(), essential: true, depends_on: vec![], start_timeout_ms: None, stop_timeout_ms: 30,
            health: None,
            restart: Some(RestartPolicy { ignored_exit_codes: vec![2], attempt_period_ms: period_ms }),
        };
        let mut state = TaskState::new(TaskSpec { arn: "t".into(), containers: vec![spec] });
        use Observation as O;
        let up = [O::Desired(Desired::Running), O::NetworkAttached, O::Pulled { container: 0, digest: "d".into() },
            O::Created { container: 0, runtime_id: "r".into() }, O::Started { container: 0 }];
        for observation in up {
            state = step(&state, observation, 1000).0;
        }
        if stops {
            state = step(&state, O::Desired(Desired::Stopped), 1000).0;
        }
        let exit = O::Exited { container: 0, code: Some(code), oom: false, reason: None, at_ms: 1000 + ran_ms };
        // Heard of late: what counts is when it ended.
        let (next, actions) = step(&state, exit.clone(), 5000);
        let restarts = !stops && code != 2 && ran_ms >= period_ms;
        let asked = actions.iter().filter(|a| matches!(a, Action::Restart { .. })).count();
        prop_assert_eq!(asked, usize::from(restarts));
        prop_assert_eq!(next.containers[0].restarts, u32::from(restarts));
        if restarts {
            prop_assert_eq!(&actions, &vec![Action::Restart { container: 0 }]);
            // The agent dies at any moment of it.
            let found = |found| O::Adopted { found: vec![found] };
            let gone = Found::Exited { code: Some(code), oom: false, reason: None, at_ms: 1000 + ran_ms };
            for not_yet in [gone, Found::Nothing, Found::Created] {
                let (same, actions) = step(&next, found(not_yet), 6000);
                prop_assert_eq!(&same, &next);
                prop_assert_eq!(actions, vec![Action::Restart { container: 0 }]);
            }
            let (there, actions) = step(&next, found(Found::Running), 6000);
            prop_assert_eq!((there.containers[0].phase, there.containers[0].restarts), (Phase::Running, 1));
            prop_assert_eq!(actions, vec![]);
        }
    }
}
