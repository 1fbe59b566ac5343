//! How many tasks a second the model takes through a whole life, and what a task costs to keep.
//! `cargo run --release -p model --example throughput [tasks]`
#![allow(clippy::disallowed_methods)] // it measures

#[path = "../tests/support/mod.rs"]
mod support;

use model::{command::*, *};
use support::*;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn main() {
    let tasks: u128 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut world = Bench::ready().world;
    let wide = Registration {
        total: Size::new(i64::MAX / 2, i64::MAX / 2),
        subnet: Some("10.0.0.0/8".parse().expect("a subnet")),
        ..registration(1)
    };
    let mut run = |command: Command| {
        let events = transact(&mut world, &command, 1_000_000).expect("the command holds");
        changes(&world, &events).iter().map(|(_, value)| value.as_ref().map_or(0, Vec::len)).sum::<usize>()
    };
    run(Command::RegisterInstance(wide.into()));
    let before_kib = resident_kib();
    let began = std::time::Instant::now();
    let mut bytes = 0;
    for first in (0..tasks).step_by(10) {
        let ids: Vec<u128> = (first..first + 10).map(|n| TaskId(n).derive("bench", 0)).collect();
        bytes += run(Command::StartTasks { tasks: ids.iter().map(|id| task(*id, 1)).collect(), token: None });
        let known = ids.iter().map(|id| (TaskId(*id), DesiredStatus::Running)).collect();
        bytes += run(Command::AcknowledgePayload { instance: InstanceId(1), tasks: known });
        for id in ids {
            let both = vec![said("web", ContainerStatus::Running), said("side", ContainerStatus::Running)];
            let report = report(ReportedStatus::Running, both);
            bytes += run(Command::ReportTask { cluster: cluster(), task: TaskId(id), report });
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let kib = resident_kib() - before_kib;
    println!("{tasks} tasks to RUNNING: {:.0} a second", tasks as f64 / seconds);
    println!("{} bytes resident a task, {} written", kib as u128 * 1024 / tasks, bytes as u128 / tasks);
}
