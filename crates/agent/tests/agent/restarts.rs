//! Restart policies: the same container again.

use serde_json::{Value, json};

use super::stories::{Bench, payload, stopped, task};

/// A restart attempt period shorter than the API allows: the agent protocol has no such bound.
fn restarting(mut task: Value) -> Value {
    task["containers"][0]["restartPolicy"] =
        json!({"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 1});
    task
}

#[test]
fn a_restart_policy_runs_the_same_container_again() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        // The file system is kept; the third run ends too soon to be followed by another.
        let script =
            "echo x >> /runs; n=$(cat /runs | wc -l); echo run $n; [ $n = 3 ] && exit 7; sleep 1.5; exit 1";
        let t = restarting(task(&bench, &agent, "again", &[("web", script, true)]));
        control.send("PayloadMessage", payload("m1", 1, &[t]));
        let end = control.report("again", "STOPPED").await;
        let all = end["containers"].as_array().unwrap();
        assert_eq!((all.len(), &all[0]["exitCode"]), (1, &json!(7)), "{end:#}");
        assert_eq!(control.starts("again", "web"), 1, "no state change tells of a restart");
        assert_eq!(control.lines("again/web"), ["run 1", "run 2", "run 3"]);
    });
    agent.kill();
    bench.clean();
}

#[test]
fn a_container_that_ends_while_the_agent_is_away_is_restarted_once() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        let script = "echo x >> /runs; n=$(cat /runs | wc -l); echo run $n; [ $n = 1 ] && sleep 2 && exit 1; sleep 1000";
        let t = restarting(task(&bench, &agent, "away", &[("web", script, true)]));
        control.send("PayloadMessage", payload("m1", 1, &[t]));
        control.report("away", "RUNNING").await;
    });
    agent.kill();
    let record = bench.dir.path().join("tasks/away/0/exit.json");
    while !record.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let agent = bench.agent();
    bench.wait(async {
        control.line("away/web", "run 2").await;
        let t = task(&bench, &agent, "away", &[("web", "", true)]);
        control.send("PayloadMessage", payload("m2", 2, &[stopped(t)]));
        let end = control.report("away", "STOPPED").await;
        assert_eq!(end["containers"].as_array().unwrap().last().unwrap()["exitCode"], 137, "{end:#}");
        // Of the first run the killed agent may not have seen that its report and its line were taken.
        let mut lines = control.lines("away/web");
        lines.dedup();
        assert_eq!(lines, ["run 1", "run 2"]);
    });
    agent.kill();
    bench.clean();
}
