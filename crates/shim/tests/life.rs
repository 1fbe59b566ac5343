//! A container's life: create, start, exit, delete; how it ends is told truly.

mod support;

use containerd_shim_protos::api::Status;
use containerd_shim_protos::ttrpc::Code;
use support::{Bundle, Place, is_alive, refusal};

#[test]
fn a_program_runs_and_its_exit_code_is_told_everywhere() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sh", "-c", "echo $GREETING; echo oops >&2; exit 7"]);
    let shim = place.start(&bundle);
    let pid = shim.create(&bundle).unwrap();
    assert_eq!(shim.state(&bundle.id).status, Status::CREATED.into());
    assert_eq!(shim.start(&bundle.id).unwrap(), pid);
    assert_eq!(shim.wait(&bundle.id), 7);
    assert_eq!(bundle.output(), "hello\n");
    assert_eq!(std::fs::read_to_string(bundle.stderr()).unwrap(), "oops\n");
    let record = bundle.exit_record();
    assert_eq!(record["exitCode"], 7);
    assert_eq!(record["oomKilled"], false);
    assert!(record["exitedAtMs"].as_u64().unwrap() > 1_600_000_000_000);
    let state = shim.state(&bundle.id);
    assert_eq!((state.status, state.exit_status), (Status::STOPPED.into(), 7));
    let deleted = shim.delete(&bundle.id).unwrap();
    assert_eq!((deleted.pid, deleted.exit_status), (pid, 7));
    assert!(deleted.exited_at.seconds > 1_600_000_000);
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn a_signal_ends_with_128_and_its_number() {
    let place = Place::new();
    for (script, signal, code) in [
        ("sleep 1000", libc::SIGKILL, 137),
        ("trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done", libc::SIGTERM, 3),
    ] {
        let bundle = Bundle::new(&place, &["sh", "-c", script]);
        let shim = place.start(&bundle);
        shim.create(&bundle).unwrap();
        let pid = shim.start(&bundle.id).unwrap();
        assert_eq!(refusal(shim.delete(&bundle.id)).0, Code::FAILED_PRECONDITION);
        assert_eq!(refusal(shim.start(&bundle.id)).0, Code::FAILED_PRECONDITION);
        if signal == libc::SIGTERM {
            support::eventually("the trap is set", || bundle.output() == "ready\n");
        }
        shim.kill(&bundle.id, signal).unwrap();
        assert_eq!(shim.wait(&bundle.id), code);
        assert_eq!(bundle.exit_record()["exitCode"], code);
        assert!(!is_alive(pid));
        assert_eq!(refusal(shim.kill(&bundle.id, signal)).0, Code::NOT_FOUND);
        shim.delete(&bundle.id).unwrap();
        shim.shutdown();
    }
}

#[test]
fn the_program_gets_default_signals_and_only_its_own_descriptors() {
    let place = Place::new();
    let bundle =
        Bundle::new(&place, &["sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; echo /proc/self/fd/*"]);
    let shim = place.start(&bundle);
    assert_eq!(shim.run(&bundle), 0);
    let output = bundle.output();
    assert!(output.contains("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"), "{output}");
    // The shell has the directory itself open while it expands the pattern.
    let fds = output.lines().last().unwrap().split(' ').count();
    assert!(fds <= 4, "{output}");
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_container_that_was_never_started_can_be_deleted() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["true"]);
    let shim = place.start(&bundle);
    let pid = shim.create(&bundle).unwrap();
    assert_eq!(shim.delete(&bundle.id).unwrap().exit_status, 137);
    assert!(!is_alive(pid));
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn two_containers_of_a_group_share_a_shim() {
    let place = Place::new();
    let grouped = |args: &[&str]| {
        Bundle::with(&place, args, |config| {
            config["annotations"] = serde_json::json!({"io.containerd.runc.v2.group": "the-task"});
        })
    };
    let (one, two) = (grouped(&["sleep", "1000"]), grouped(&["sh", "-c", "exit 4"]));
    let shim = place.start(&one);
    let again = place.start(&two);
    assert_eq!((&shim.address, shim.pid), (&again.address, again.pid));
    shim.create(&one).unwrap();
    shim.start(&one.id).unwrap();
    assert_eq!(again.run(&two), 4);
    again.delete(&two.id).unwrap();
    two.assert_gone(&place);
    // The other one goes on, also when somebody asks the shim to leave.
    shim.client.shutdown(support::patience(), &Default::default()).unwrap();
    assert_eq!(shim.state(&one.id).status, Status::RUNNING.into());
    shim.kill(&one.id, libc::SIGKILL).unwrap();
    assert_eq!(shim.wait(&one.id), 137);
    shim.delete(&one.id).unwrap();
    one.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn everyone_who_waits_is_answered() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    shim.start(&bundle.id).unwrap();
    std::thread::scope(|scope| {
        let waits: Vec<_> =
            (0..4).map(|_| scope.spawn(|| support::Shim::connect(&shim.address).wait(&bundle.id))).collect();
        // One that goes away without waiting for its answer.
        drop(support::Shim::connect(&shim.address));
        shim.kill(&bundle.id, libc::SIGKILL).unwrap();
        for wait in waits {
            assert_eq!(wait.join().unwrap(), 137);
        }
    });
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_container_without_a_pid_namespace_takes_its_strays_along() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["sh", "-c", "sleep 1000 & echo $!; exit 0"], |config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|namespace| namespace["type"] != "pid");
    });
    let shim = place.start(&bundle);
    assert_eq!(shim.run(&bundle), 0);
    let stray: u32 = bundle.output().trim().parse().unwrap();
    assert!(!is_alive(stray));
    shim.delete(&bundle.id).unwrap();
    bundle.assert_gone(&place);
    shim.shutdown();
}
