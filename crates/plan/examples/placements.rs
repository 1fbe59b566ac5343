//! How many placements a second, with two strategies and a constraint, by the number of container instances.
//! `cargo run --release -p plan --example placements [-- --json] [INSTANCES …]`
#![allow(clippy::disallowed_methods)] // it measures

#[path = "../tests/support/mod.rs"]
mod support;

use model::{command::*, *};
use plan::{Memory, Rules, Want};
use std::time::Instant;
use support::*;

/// Tasks of the larger call: five an instance.
const PER_INSTANCE: usize = 5;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![1_000, 3_000, 10_000, 30_000] } else { given };
    let step = plan::reconcile::STARTS_PER_STEP as usize;
    let mut figures = Vec::new();
    for instances in sizes {
        let sim = site(instances);
        let [(all, _), (of_step, _), (ten, first)] =
            [instances * PER_INSTANCE, step, 10].map(|count| rate(&sim, count));
        if json {
            let calls = [
                ("bulk".to_owned(), all),
                (format!("calls_of_{step}"), of_step),
                ("calls_of_10".to_owned(), ten),
            ];
            figures.push(format!("  \"placement_{instances}_first_call_ms\": {:.2}", first * 1e3));
            figures.extend(
                calls.map(|(calls, rate)| format!("  \"placement_{instances}_{calls}_per_s\": {rate:.0}")),
            );
        } else {
            println!(
                "{instances} instances: {all:.0} placements a second; {of_step:.0} in calls of {step}, {ten:.0} in calls of 10; the first call of a kind {:.2} ms",
                first * 1e3
            );
        }
    }
    if json {
        println!("{{\n{}\n}}", figures.join(",\n"));
    }
}

/// Three zones, forty racks; every tenth machine is reserved.
fn site(instances: usize) -> Sim {
    let mut sim = Sim::new(0, 0);
    let attribute = |name: &str, value: String| Attribute { name: name.into(), value: Some(value.into()) };
    for id in 0..instances {
        let mut attributes =
            vec![attribute("zone", format!("z{}", id % 3)), attribute("rack", format!("r{}", id % 40))];
        attributes.extend((id % 10 == 0).then(|| attribute("reserved", "yes".to_owned())));
        let home = Home::Cluster(cluster());
        let size = Size::new(256 * 12, 512 * 12 + (id % 700) as i64);
        sim.join(Registration { attributes, ..instance(id as u128 + 1, home, size) });
    }
    sim
}

/// Placements a second, where a call places so many: the best of five, after one that looked at every instance, whose
/// seconds are given as well. Between two calls the tasks of the one before have started.
fn rate(sim: &Sim, count: usize) -> (f64, f64) {
    let strategy = |kind, field: &str| PlacementStrategy { kind, field: Some(field.into()) };
    let constraint = PlacementConstraint {
        kind: ConstraintKind::MemberOf,
        expression: Some("attribute:reserved !exists".into()),
    };
    let strategies =
        [strategy(StrategyKind::Spread, "attribute:zone"), strategy(StrategyKind::Binpack, "memory")];
    let group = Group::from("bench");
    let rules = Rules { group: Some((cluster(), group.clone())), ..Rules::of(&[constraint], &strategies) };
    let want = Want {
        cluster: cluster(),
        definition: DefinitionRef { family: "one".into(), revision: Revision(1) },
        launch_type: LaunchType::Ec2,
        size: None,
        gpus: None,
        capacity_provider: None,
    };
    let wants = vec![want; count];
    let (mut world, mut memory) = (sim.world.clone(), Memory::default());
    let (mut first, mut best) = (0.0, f64::MAX);
    let mut tasks = 0;
    for seed in 0..6 {
        let began = Instant::now();
        let placement = memory.place(&world, &wants, &rules, seed);
        let took = began.elapsed().as_secs_f64();
        assert_eq!(placement.placed.len(), count);
        match seed {
            0 => first = took,
            _ => best = best.min(took),
        }
        // Of the large call each would fill the cluster.
        if count * 6 > sim.world.all_instances().count() * PER_INSTANCE {
            continue;
        }
        let start = |placed: &plan::schedule::Placed| {
            tasks += 1;
            NewTask { group: Some(group.clone()), ..task(tasks, placed.instance.0) }
        };
        let started = placement.placed.iter().map(start).collect();
        let command = Command::StartTasks { tasks: started, token: None };
        transact(&mut world, &command, sim.now_ms).expect("there is room");
    }
    (count as f64 / best, first)
}
