//! What was acknowledged survives: kill -9 of the process, and a disk that is full.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{NOW, World, messages};
use serde_json::json;
use store::MemoryStore;

/// Not a test: the process that `kill_dash_nine_loses_no_acknowledged_event` kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by another test"]
async fn child_that_puts_for_ever() {
    let directory = std::env::var_os("LONGSHORE_LOGS").expect("run by another test");
    let world = Arc::new(World::packing(directory.as_ref()));
    let packed = Arc::clone(&world);
    // Killed in the middle of packing, too: it is never doing anything else for long.
    std::thread::spawn(move || {
        loop {
            packed.logs.tidy().unwrap();
        }
    });
    let mut writers = tokio::task::JoinSet::new();
    for stream in 0..4 {
        let world = Arc::clone(&world);
        writers.spawn(async move {
            let name = format!("s{stream}-{}", std::process::id());
            world.stream("g", &name).await;
            for number in 0.. {
                let line = format!("{name} {number} {}", "x".repeat(3_000));
                world.put("g", &name, &[(number, &line), (number, &line)]).await;
                println!("acknowledged {name} {number}");
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn kill_dash_nine_loses_no_acknowledged_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = std::collections::BTreeMap::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_puts_for_ever", "--exact", "--ignored", "--nocapture"])
            .env("LONGSHORE_LOGS", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut note = |line: String| {
            let Some((_, rest)) = line.split_once("acknowledged ") else { return };
            let (name, number) = rest.trim().split_once(' ').unwrap();
            acknowledged.insert(name.to_owned(), number.parse::<usize>().unwrap());
        };
        lines.by_ref().take(60 * round).for_each(|line| note(line.unwrap()));
        child.kill().unwrap();
        lines.map_while(Result::ok).for_each(&mut note);
        child.wait().unwrap();

        let world = World::open(directory.path());
        for (name, last) in &acknowledged {
            let read = json!({"logGroupName": "g", "logStreamName": name, "startFromHead": true});
            let mut seen: Vec<String> = Vec::new();
            let mut token = serde_json::Value::Null;
            loop {
                let mut input = read.clone();
                input["nextToken"] = token.clone();
                let page = world.ok("GetLogEvents", input).await;
                let prefix = |message: &str| message.split(" x").next().unwrap().to_owned();
                seen.extend(messages(&page).into_iter().map(prefix));
                if page["nextForwardToken"] == token {
                    break;
                }
                token = page["nextForwardToken"].clone();
            }
            // Each put has two events: both or none, in order, nothing missing, at most the put
            // that was under way more than what was acknowledged.
            assert!(seen.len() / 2 > *last && seen.len() / 2 <= last + 2, "{name}: {} {last}", seen.len());
            let expected: Vec<_> = (0..seen.len()).map(|n| format!("{name} {}", n / 2)).collect();
            assert_eq!(seen, expected);
        }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_puts_and_recovers_when_there_is_room() {
    let mount = tempfile::Builder::new().prefix("longshore-logs-").tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let status = command.args(arguments).arg(mount.path()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !run("mount", &["-t", "tmpfs", "-o", "size=600k", "tmpfs"]) {
        eprintln!("skipped: needs root");
        return;
    }
    let outcome = tokio::spawn(fill_and_recover(mount.path().to_owned())).await;
    let unmounted = run("umount", &["-l"]);
    outcome.unwrap();
    assert!(unmounted);
}

async fn fill_and_recover(directory: std::path::PathBuf) {
    let store = MemoryStore::new();
    let world = World::with_store(&directory, Arc::new(store.clone()));
    world.stream("g", "s").await;
    let line = "x".repeat(50_000);
    let put = json!({
        "logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": NOW, "message": line}],
    });
    let mut kept = 0;
    let error = loop {
        match world.call("PutLogEvents", put.clone()).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((error.code.as_str(), kept > 5), ("ServiceUnavailableException", true));
    let grown = Command::new("mount").args(["-o", "remount,size=4m"]).arg(&directory).status();
    assert!(grown.unwrap().success());
    world.ok("PutLogEvents", put).await;
    let count = async |world: &World| {
        messages(&world.ok("FilterLogEvents", json!({"logGroupName": "g"})).await).len()
    };
    assert_eq!(count(&world).await, kept + 1);
    drop(world);
    assert_eq!(count(&World::with_store(&directory, Arc::new(store))).await, kept + 1);
}
