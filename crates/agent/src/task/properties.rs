//! What holds for every task and every sequence of observations, sensible or not.

use proptest::prelude::*;

use super::*;

fn spec() -> impl Strategy<Value = TaskSpec> {
    let container = (any::<bool>(), 0u8..3, any::<bool>(), prop::option::of(0u64..50));
    prop::collection::vec(container, 1..5).prop_map(|containers| TaskSpec {
        arn: "task".into(),
        containers: containers
            .into_iter()
            .enumerate()
            .map(|(i, (essential, condition, depends, start_timeout_ms))| ContainerSpec {
                name: format!("c{i}"),
                essential,
                depends_on: (depends && i > 0)
                    .then(|| Dependency {
                        on: i - 1,
                        condition: [Condition::Start, Condition::Complete, Condition::Success]
                            [condition as usize],
                    })
                    .into_iter()
                    .collect(),
                start_timeout_ms,
                stop_timeout_ms: 30,
            })
            .collect(),
    })
}

fn observation() -> impl Strategy<Value = Observation> {
    use Observation as O;
    let c = 0usize..6;
    let why = || "why".to_owned();
    let code = prop::option::of(prop_oneof![Just(0), Just(1), Just(137)]);
    let found = prop_oneof![
        Just(Found::Nothing),
        Just(Found::Created),
        Just(Found::Running),
        Just(Found::Exited { code: Some(1), oom: false, reason: None }),
    ];
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
            .prop_map(|(container, code, oom)| O::Exited { container, code, oom, reason: None }),
        4 => c.clone().prop_map(|container| O::Deleted { container }),
        1 => c.clone().prop_map(|container| O::Due(Timer::Kill { container })),
        1 => c.prop_map(|container| O::Due(Timer::Start { container })),
        1 => prop::collection::vec(found, 0..6).prop_map(|found| O::Adopted { found }),
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
            vec![O::Exited { container, code: Some(137), oom: false, reason: None }]
        }
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
                prop_assert!(after.phase >= before.phase, "{before:?} -> {after:?}");
            }
            prop_assert!(next.desired >= state.desired);
            prop_assert!(next.network >= state.network);
            for action in &actions {
                if was_stopping {
                    let harmless = match action {
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

    /// On a machine that works a task without dependencies comes up, and the end of an essential
    /// container takes all others down.
    #[test]
    fn an_essential_exit_stops_the_task(mut spec in spec(), which in 0usize..5) {
        for c in &mut spec.containers { c.depends_on.clear(); c.essential = true; }
        let which = which % spec.containers.len();
        let mut state = TaskState::new(spec);
        let mut open = vec![];
        let exit = Observation::Exited { container: which, code: Some(0), oom: false, reason: None };
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
}
