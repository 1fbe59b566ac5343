//! How good placements are, held to an exact solver; and the solver, held to trying everything.
//!
//! `exact.rs` is the solver, `rule.rs` what ECS's words allow, `trace.rs` makes tasks come and go, `replay.rs` places them by
//! `plan::place` and compares. The example `quality` prints the figures of many more cases.

mod exact;
mod replay;
mod rule;
#[path = "../support/mod.rs"]
mod support;
mod trace;

use exact::{Ask, Bin, Cost, Goal, Over, Pack, cost, ranges, solve};
use model::Size;
use proptest::prelude::*;
use replay::{By, Case, Replay, SCHEMES};

/// The mark: what a call's tasks use is this much worse used than it could be at most, on average over the cases, in percent.
const MARK: f64 = 2.0;

/// Each scheme's calls and batches, on a few clusters from the first task on. The traces are the same in each run.
fn cases() -> impl Iterator<Item = (replay::Scheme, Vec<Case>, Vec<Case>)> {
    SCHEMES.into_iter().map(|scheme| {
        let (mut calls, mut batches) = (Vec::new(), Vec::new());
        for (seed, load) in (100..106).flat_map(|seed| [0.4, 0.8, 1.1].map(|load| (seed, load))) {
            let trace = trace::trace(seed, 6 + seed as usize % 3, 12, load);
            let mut replay = Replay::new(&trace, scheme, By::Plan);
            for step in &trace.steps {
                let (more_calls, more_batches) = replay.measure(step, true);
                calls.extend(more_calls);
                batches.extend(more_batches);
            }
        }
        (scheme, calls, batches)
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn calls_are_placed_as_well_as_ecs_s_words_allow() {
    for (scheme, calls, batches) in cases() {
        assert!(calls.len() > 200 && batches.len() > 100, "{} {}", calls.len(), batches.len());
        assert!(calls.iter().any(|case| case.best.unplaced > 0), "a cluster was full, too");
        for case in &calls {
            // These two can't be missed: one size fills whatever is filled first, and to give to the smallest is the best.
            assert_eq!(case.placed.unplaced, case.best.unplaced, "{}: {case:?}", scheme.name);
            assert_eq!(case.placed.squares, case.best.squares, "{}: {case:?}", scheme.name);
            assert!(case.ranges.is_none_or(|(least, range)| range == least), "{}: {case:?}", scheme.name);
            if let Some((best, worst)) = &case.allowed {
                assert!((best..=worst).contains(&&case.placed), "{}: {case:?}", scheme.name);
            }
        }
        let own = mean(calls.iter().filter_map(Case::own_gap));
        assert!(own < 0.05, "{}: {own} % worse than the best that the words allow", scheme.name);
        let used = mean(calls.iter().filter_map(Case::used_gap));
        assert!(used <= MARK, "{}: {used} % worse used than by the optimum", scheme.name);
        let spread = mean(batches.iter().filter_map(Case::spread_gap));
        assert!(spread <= MARK, "{}: {spread} % less evenly spread than a batch could be", scheme.name);
        let placed = mean(batches.iter().map(Case::placed_gap));
        assert!(placed <= MARK, "{}: {placed} % fewer of a batch's tasks placed than could be", scheme.name);
    }
}

/// Every task everywhere, or nowhere.
fn by_trying_everything(bins: &[Bin], asks: &[Ask], goal: Goal) -> Cost {
    fn go(bins: &[Bin], asks: &[Ask], goal: Goal, tasks: &[usize], chosen: &mut exact::Chosen) -> Cost {
        let Some((kind, rest)) = tasks.split_first() else { return cost(bins, asks, goal, chosen) };
        let mut least = go(bins, asks, goal, rest, chosen);
        for index in 0..bins.len() {
            chosen[index][*kind] += 1;
            let sum = |of: fn(&Size) -> i64| -> i64 {
                asks.iter().zip(&chosen[index]).map(|(ask, count)| of(&ask.size) * *count as i64).sum()
            };
            if sum(|size| size.cpu) <= bins[index].left.0 && sum(|size| size.memory_mib) <= bins[index].left.1
            {
                least = least.min(go(bins, asks, goal, rest, chosen));
            }
            chosen[index][*kind] -= 1;
        }
        least
    }
    let tasks: Vec<usize> = asks.iter().enumerate().flat_map(|(kind, ask)| vec![kind; ask.count]).collect();
    go(bins, asks, goal, &tasks, &mut vec![vec![0; asks.len()]; bins.len()])
}

fn bins() -> impl Strategy<Value = Vec<Bin>> {
    let one = ((0..6i64, 0..6i64), (0..3i64, 0..3i64), any::<bool>(), 0..3usize, 0..3usize, 0..3usize)
        .prop_map(|(left, more, in_use, zone, first, second)| Bin {
            left,
            total: (left.0 + more.0, left.1 + more.1),
            in_use,
            zone,
            alike: vec![first, second],
        });
    prop::collection::vec(one, 1..5)
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let one = (1..4i64, 1..4i64, 0..4usize)
        .prop_map(|(cpu, memory_mib, count)| Ask { size: Size { cpu, memory_mib }, count });
    prop::collection::vec(one, 1..3)
}

fn goal() -> impl Strategy<Value = Goal> {
    let spread = prop::sample::select(vec![None, Some(Over::Zone), Some(Over::Instance)]);
    let pack = prop::sample::select(vec![None, Some(Pack::Cpu), Some(Pack::Memory), Some(Pack::Number)]);
    (spread, pack).prop_map(|(spread, pack)| Goal { spread, pack })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_solver_finds_what_trying_everything_finds(bins in bins(), asks in asks(), goal in goal()) {
        let (least, chosen) = solve(&bins, &asks, goal);
        prop_assert_eq!(cost(&bins, &asks, goal, &chosen), least);
        prop_assert_eq!(by_trying_everything(&bins, &asks, goal), least);
    }

    /// Of one kind, what has the least squares has the least range, too.
    #[test]
    fn the_least_range_is_one_that_there_is(bins in bins(), asks in asks(), zones: bool) {
        let goal = Goal { spread: Some(if zones { Over::Zone } else { Over::Instance }), pack: None };
        let (_, chosen) = solve(&bins, &asks[..1], goal);
        let (least, range) = ranges(&bins, asks[0], goal, &chosen);
        prop_assert_eq!(least, range);
    }
}
