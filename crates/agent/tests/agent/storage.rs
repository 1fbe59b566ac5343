//! Ephemeral storage: what a task may write.

use serde_json::json;

use super::stories::{Bench, payload, stopped, task};

#[test]
fn a_task_that_writes_more_than_its_share_is_stopped() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    let write =
        |to: &str| format!("head -c 6000000 /dev/zero > {to}/big; echo written; while :; do sleep 0.1; done");
    bench.wait(async {
        control.sessions(1).await;
        let with = |id: &str, to: &str, mib: u64| {
            let mut task = task(&bench, &agent, id, &[("web", &write(to), true)]);
            task["ephemeralStorageMib"] = json!(mib);
            task["volumes"] = json!([{"name": "v", "type": "host", "host": {}}]);
            task["containers"][0]["mountPoints"] = json!([{"sourceVolume": "v", "containerPath": "/v"}]);
            task
        };
        let modest = with("modest", "/v", 100);
        control.send(
            "PayloadMessage",
            payload("m1", 1, &[with("layer", "/tmp", 4), with("volume", "/v", 4), modest.clone()]),
        );
        for id in ["layer", "volume", "modest"] {
            control.line(&format!("{id}/web"), "written").await;
        }
        for id in ["layer", "volume"] {
            let end = control.report(id, "STOPPED").await;
            let reason = end["reason"].as_str().unwrap_or_default();
            assert!(reason.starts_with("OutOfEphemeralStorageError"), "{end:#}");
        }
        control.send("PayloadMessage", payload("m2", 2, &[stopped(modest)]));
        let end = control.report("modest", "STOPPED").await;
        assert!(end["reason"].as_str().unwrap_or_default().is_empty(), "{end:#}");
    });
    agent.kill();
    bench.clean();
}
