//! What an agent makes of what its predecessor didn't come to write down, and of what can't be read any more.

use super::stories::{Bench, payload, stopped, task};

#[test]
fn an_agent_that_dies_while_it_registers_is_the_same_instance_afterwards() {
    let bench = Bench::new();
    let control = &bench.control;
    // It hears the call, and its answer is lost.
    control.set_away(true);
    let agent = bench.agent();
    let first = bench.wait(control.call("RegisterContainerInstance"));
    agent.kill();
    control.set_away(false);
    let agent = bench.agent();
    bench.wait(control.sessions(1));
    let calls = control.calls("RegisterContainerInstance");
    let token = first["clientToken"].as_str().unwrap();
    assert!(!token.is_empty());
    assert!(calls.iter().all(|call| call["clientToken"] == token && call["containerInstanceArn"].is_null()));
    agent.kill();
    // Known to itself it says its name, and needs no token.
    let agent = bench.agent();
    bench.wait(control.sessions(2));
    let last = control.calls("RegisterContainerInstance").pop().unwrap();
    assert!(last["containerInstanceArn"].is_string() && last["clientToken"].is_null(), "{last}");
    agent.kill();
    bench.clean();
}

/// One container of which nothing was written down well, beside one that is untouched.
#[test]
fn a_record_that_cannot_be_read_costs_its_task_alone() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    let tasks = bench.wait(async {
        control.sessions(1).await;
        let tasks = ["record", "both", "well"].map(|id| {
            task(
                &bench,
                &agent,
                id,
                &[("web", "trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done", true)],
            )
        });
        control.send("PayloadMessage", payload("m1", 1, &tasks));
        for id in ["record", "both", "well"] {
            control.report(id, "RUNNING").await;
            control.line(&format!("{id}/web"), "up").await;
        }
        tasks
    });
    agent.kill();
    let file = |name: &str| bench.dir.path().join("tasks").join(name);
    let whole = std::fs::read(file("record/record.json")).unwrap();
    std::fs::write(file("record/record.json"), &whole[..20]).unwrap();
    for name in ["both/record.json", "both/task.json"] {
        std::fs::write(file(name), "").unwrap();
    }
    let agent = bench.agent();
    bench.wait(async {
        let end = control.report("record", "STOPPED").await;
        assert_eq!(end["containers"].as_array().unwrap().last().unwrap()["exitCode"], 4, "{end:#}");
        assert!(end["reason"].as_str().unwrap().starts_with("TaskStateError: "), "{end:#}");
        // The other's name is known again when the control plane asks for it, as it does in each session.
        control.sessions(2).await;
        control.send("PayloadMessage", payload("m2", 2, &tasks));
        let end = control.report("both", "STOPPED").await;
        assert_eq!(end["containers"].as_array().unwrap().last().unwrap()["exitCode"], 4, "{end:#}");
        control.acs("AckRequest", 2).await;
        // Those of the others go after their reports.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while bench.shims().len() > 1 && std::time::Instant::now() < until {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(bench.shims().len(), 1, "only of the task that is well");
        control.send("PayloadMessage", payload("m3", 3, &[stopped(tasks[2].clone())]));
        let end = control.report("well", "STOPPED").await;
        assert_eq!(end["containers"].as_array().unwrap().last().unwrap()["exitCode"], 4, "{end:#}");
        assert_eq!(control.starts("well", "web"), 1);
    });
    let aside = std::fs::read_dir(bench.dir.path().join("unreadable")).unwrap().count();
    assert_eq!(aside, 3);
    agent.kill();
    bench.clean();
}

#[test]
fn cleanup_ends_what_cannot_be_read_as_well() {
    let bench = Bench::new();
    let agent = bench.agent();
    bench.wait(async {
        bench.control.sessions(1).await;
        let tasks =
            ["record", "both"].map(|id| task(&bench, &agent, id, &[("web", "exec sleep 1000", true)]));
        bench.control.send("PayloadMessage", payload("m1", 1, &tasks));
        bench.control.report("record", "RUNNING").await;
        bench.control.report("both", "RUNNING").await;
    });
    agent.kill();
    for name in ["record/record.json", "both/record.json", "both/task.json"] {
        std::fs::write(bench.dir.path().join("tasks").join(name), "{").unwrap();
    }
    bench.clean();
    assert_eq!(bench.shims(), Vec::<i32>::new());
}
