//! What a launch costs, and what a shim weighs beside its container.
//!
//! `LONGSHORE_SHIM=<static release binary> cargo bench -p shim`. Prints figures; judges nothing.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{Bundle, Place, Shim};

/// Tasks that run at once for the memory figures.
const TASKS: usize = 40;
/// Launches one after the other for the times.
const LAUNCHES: usize = 60;

fn main() {
    let place = Place::new();
    for gap_ms in [0, 200] {
        one_after_the_other(&place, gap_ms);
    }
    for workers in [2, 4] {
        at_once(&place, workers);
    }
}

fn one_after_the_other(place: &Place, gap_ms: u64) {
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..LAUNCHES {
        let bundle = Bundle::new(place, &["sleep", "1000"]);
        std::thread::sleep(Duration::from_millis(gap_ms));
        let begin = Instant::now();
        let shim = place.start(&bundle);
        let spawned = Instant::now();
        shim.create(&bundle).unwrap();
        let created = Instant::now();
        shim.start(&bundle.id).unwrap();
        let started = Instant::now();
        shim.kill(&bundle.id, 9).unwrap();
        shim.wait(&bundle.id);
        let killed = Instant::now();
        shim.delete(&bundle.id).unwrap();
        let deleted = Instant::now();
        shim.shutdown();
        for (list, time) in
            times.iter_mut().zip([spawned - begin, created - spawned, started - created, deleted - killed])
        {
            list.push(time);
        }
    }
    let mut line = format!("gap {gap_ms} ms, p50/p90:");
    for (name, list) in ["spawn", "create", "start", "delete"].iter().zip(&mut times) {
        list.sort();
        let (p50, p90) = (list[list.len() / 2], list[list.len() * 9 / 10]);
        line.push_str(&format!("  {name} {:.2}/{:.2}", ms(p50), ms(p90)));
    }
    println!("{line}");
}

fn at_once(place: &Place, workers: usize) {
    let bundles: Vec<_> = (0..TASKS).map(|_| Bundle::new(place, &["sleep", "1000"])).collect();
    let next = AtomicUsize::new(0);
    let shims = Mutex::new(Vec::<(usize, Shim)>::new());
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(bundle) = bundles.get(i) else { return };
                    let shim = place.start(bundle);
                    shim.create(bundle).unwrap();
                    shim.start(&bundle.id).unwrap();
                    shims.lock().unwrap().push((i, shim));
                }
            });
        }
    });
    let took = begin.elapsed();
    // Long enough for the shims to notice that it is quiet.
    std::thread::sleep(Duration::from_secs(1));
    let shims = shims.into_inner().unwrap();
    let sum = |key: &str| -> u64 { shims.iter().map(|(_, shim)| rollup(shim.pid, key)).sum() };
    println!(
        "{TASKS} tasks, {workers} at a time: {:.0} ms; each: PSS {} kB, private dirty {} kB, RSS {} kB",
        ms(took),
        sum("Pss:") / TASKS as u64,
        sum("Private_Dirty:") / TASKS as u64,
        sum("Rss:") / TASKS as u64,
    );
    for (i, shim) in &shims {
        shim.kill(&bundles[*i].id, 9).unwrap();
        shim.wait(&bundles[*i].id);
        shim.delete(&bundles[*i].id).unwrap();
        shim.shutdown();
    }
}

/// A line of `/proc/PID/smaps_rollup`, in kB.
fn rollup(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
