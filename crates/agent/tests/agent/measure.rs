//! How long a launch takes from the payload to the report of RUNNING. Not a test: run it by name,
//! with `--release`, `--ignored` and `--nocapture`; `RUST_LOG=agent::launch=debug` shows the steps.

use std::time::{Duration, Instant};

use super::stories::{Bench, payload, stopped, task};

#[test]
#[ignore = "a measurement"]
fn launches() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    let mut took: Vec<Duration> = vec![];
    bench.wait(async {
        control.sessions(1).await;
        for n in 0..40 {
            let id = format!("t{n}");
            let t = task(&bench, &agent, &id, &[("web", "exec sleep 1000", true)]);
            let began = Instant::now();
            control.send("PayloadMessage", payload(&format!("r{n}"), 2 * n + 1, std::slice::from_ref(&t)));
            control.report(&id, "RUNNING").await;
            took.push(began.elapsed());
            control.send("PayloadMessage", payload(&format!("s{n}"), 2 * n + 2, &[stopped(t)]));
        }
    });
    took.sort();
    println!("one after the other: p50 {:?}, p90 {:?}, worst {:?}", took[20], took[36], took[39]);
    let began = Instant::now();
    bench.wait(async {
        let tasks: Vec<_> = (0..40)
            .map(|n| task(&bench, &agent, &format!("b{n}"), &[("web", "exec sleep 1000", true)]))
            .collect();
        control.send("PayloadMessage", payload("burst", 1000, &tasks));
        for n in 0..40 {
            control.report(&format!("b{n}"), "RUNNING").await;
        }
    });
    println!("forty at once: {:?}", began.elapsed());
    agent.kill();
    bench.clean();
}
