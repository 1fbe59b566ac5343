//! How good placements are: a synthetic trace through `plan::place`, beside an exact solver. docs/performance.md says what
//! the figures mean.
//! `cargo run --release -p plan --example quality [-- --json]`
//!
//! The same modules hold `plan::place` to it in tests/quality.

#[path = "../tests/quality/exact.rs"]
mod exact;
#[path = "../tests/quality/replay.rs"]
mod replay;
#[path = "../tests/quality/rule.rs"]
mod rule;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/quality/trace.rs"]
mod trace;

use replay::{By, Case, Replay, SCHEMES, Scheme};
use std::ops::Range;
use trace::Trace;

/// How much of the cluster is asked for, at most; the last is more than there is.
const LOADS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 1.1];
/// Instances of the traces: few, so that batches of calls can be solved too; and many.
const FEW: &[usize] = &[6, 7, 8, 9, 10];
const MANY: &[usize] = &[100];
/// Traces of each load.
const SEEDS_OF_FEW: u64 = 20;
const SEEDS_OF_MANY: u64 = 1;
/// A trace as a whole is one case, and chance weighs much in it.
const SEEDS_OF_LONG_RUNS: u64 = 100;
/// The steps that are looked at: the first, while an empty cluster fills, and some after most of what came then has gone.
const FILLING: Range<usize> = 0..5;
const STEADY: Range<usize> = 60..65;

/// What was seen of one thing, in percent or tasks.
struct Figure {
    key: String,
    values: Vec<f64>,
}

fn main() {
    let mut figures = Vec::new();
    for scheme in SCHEMES {
        let (calls, batches) = cases(scheme, FEW, SEEDS_OF_FEW, true);
        figures.extend(described(scheme, "call", &calls));
        figures.extend(described(scheme, "batch", &batches));
        figures.extend(described(scheme, "call_of_many", &cases(scheme, MANY, SEEDS_OF_MANY, false).0));
        figures.extend(scheme.goal.pack.map(|_| in_the_long_run(scheme)));
    }
    figures.retain(|figure| !figure.values.is_empty());
    if std::env::args().any(|arg| arg == "--json") {
        let lines: Vec<String> = figures.iter().map(Figure::json).collect();
        println!("{{\n{}\n}}", lines.join(",\n"));
    } else {
        println!(
            "{:<60}{:>7}{:>8}{:>8}{:>8}",
            "percent worse than the optimum", "cases", "mean", "p95", "worst"
        );
        figures.iter().for_each(|figure| println!("{}", figure.line()));
    }
}

fn traces(sizes: &[usize], seeds: u64) -> impl Iterator<Item = Trace> {
    let each = LOADS.iter().flat_map(move |load| (0..seeds).map(move |seed| (seed, *load)));
    each.map(|(seed, load)| trace::trace(seed, sizes[seed as usize % sizes.len()], STEADY.end, load))
}

/// Calls, and batches of them.
fn cases(scheme: Scheme, sizes: &[usize], seeds: u64, with_batches: bool) -> (Vec<Case>, Vec<Case>) {
    let (mut calls, mut batches) = (Vec::new(), Vec::new());
    for trace in traces(sizes, seeds) {
        let mut replay = Replay::new(&trace, scheme, By::Plan);
        for (now, step) in trace.steps.iter().enumerate() {
            if !FILLING.contains(&now) && !STEADY.contains(&now) {
                replay.pass(step);
                continue;
            }
            let (more_calls, more_batches) = replay.measure(step, with_batches);
            calls.extend(more_calls);
            batches.extend(more_batches);
        }
    }
    (calls, batches)
}

fn described(scheme: Scheme, of: &str, cases: &[Case]) -> Vec<Figure> {
    let figure = |what: &str, gap: &dyn Fn(&Case) -> Option<f64>| Figure {
        key: format!("quality_{}_{of}_{what}", scheme.name),
        values: cases.iter().filter_map(gap).collect(),
    };
    let mut figures = vec![
        figure("placed", &|case| Some(case.placed_gap())),
        figure("placed_where_full", &|case| (case.placed.unplaced > 0).then(|| case.placed_gap())),
    ];
    if scheme.goal.spread.is_some() {
        figures.push(figure("spread", &Case::spread_gap));
        figures.push(figure("range_tasks", &Case::range_gap));
    }
    if scheme.goal.pack.is_some() {
        figures.push(figure("used", &Case::used_gap));
        figures.push(figure("used_where_opening", &|case| case.used_gap().filter(|_| case.opens())));
        if of != "batch" {
            figures.push(figure("used_own", &Case::own_gap));
        }
        figures.push(figure("instances", &Case::number_gap));
    }
    figures
}

/// The same trace once placed by `plan` and once each call by the solver: how much less of what is in use is used, on
/// average over a trace.
fn in_the_long_run(scheme: Scheme) -> Figure {
    let used = |trace: &Trace, by: By| {
        let mut replay = Replay::new(trace, scheme, by);
        let mut sum = 0.0;
        for step in &trace.steps {
            replay.pass(step);
            sum += replay.used_share();
        }
        sum / trace.steps.len() as f64
    };
    let gap = |trace: Trace| 100.0 * (1.0 - used(&trace, By::Plan) / used(&trace, By::Exact));
    Figure {
        key: format!("quality_{}_long_run_used", scheme.name),
        values: traces(FEW, SEEDS_OF_LONG_RUNS).map(gap).collect(),
    }
}

impl Figure {
    /// Mean, 95th percentile and worst.
    fn of(&self) -> [(&'static str, f64); 3] {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
        [("mean", sorted.iter().sum::<f64>() / sorted.len() as f64), ("p95", at(0.95)), ("worst", at(1.0))]
    }

    fn json(&self) -> String {
        let mut lines = vec![format!("  \"{}_cases\": {}", self.key, self.values.len())];
        lines.extend(self.of().map(|(name, value)| format!("  \"{}_{name}\": {value:.2}", self.key)));
        lines.join(",\n")
    }

    fn line(&self) -> String {
        let [mean, p95, worst] = self.of().map(|(_, value)| value);
        format!("{:<60}{:>7}{mean:>8.2}{p95:>8.2}{worst:>8.2}", self.key, self.values.len())
    }
}
