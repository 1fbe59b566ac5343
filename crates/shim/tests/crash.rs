//! Death at the wrong moment: of the shim, of its clients, of the daemon that takes events.

mod support;

use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::shim::events::ForwardRequest;
use containerd_shim_protos::ttrpc::{Request, Response};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use support::raw::frame;
use support::{Bundle, Place, Shim, eventually, is_alive};

#[test]
fn delete_removes_what_a_killed_shim_left() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sh", "-c", "sleep 1000 & sleep 1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    let pid = shim.start(&bundle.id).unwrap();
    kill(Pid::from_raw(shim.pid as i32), Signal::SIGKILL).unwrap();
    eventually("the shim is dead", || !is_alive(shim.pid));
    assert!(is_alive(pid), "the container outlives its shim");
    let deleted = place.delete(&bundle);
    assert_eq!((deleted.pid, deleted.exit_status), (pid, 137));
    eventually("the container is dead", || !is_alive(pid));
    assert_eq!(bundle.exit_record()["exitCode"], 137);
    bundle.assert_gone(&place);
    assert!(!shim.socket().exists());
    // Once more changes nothing.
    assert_eq!(place.delete(&bundle).exit_status, 137);
    // And the same bundle can be used again.
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    shim.start(&bundle.id).unwrap();
    shim.kill(&bundle.id, 9).unwrap();
    shim.wait(&bundle.id);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_dead_shims_record_survives_its_delete() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sh", "-c", "exit 6"]);
    let shim = place.start(&bundle);
    assert_eq!(shim.run(&bundle), 6);
    kill(Pid::from_raw(shim.pid as i32), Signal::SIGKILL).unwrap();
    eventually("the shim is dead", || !is_alive(shim.pid));
    assert_eq!(place.delete(&bundle).exit_status, 6);
    assert_eq!(bundle.exit_record()["exitCode"], 6);
    bundle.assert_gone(&place);
}

#[test]
fn a_process_that_dies_before_it_is_started_is_told_as_such() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    let pid = shim.create(&bundle).unwrap();
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    assert_eq!(shim.wait(&bundle.id), 137);
    let (_, message) = support::refusal(shim.start(&bundle.id));
    assert_eq!(message, "the container's first process died before it was started (exit code 137)");
    shim.delete(&bundle.id).unwrap();
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn delete_of_nothing_succeeds() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["true"]);
    assert_eq!(place.delete(&bundle).pid, 0);
    bundle.assert_gone(&place);
}

#[test]
fn a_container_outlives_its_client_which_finds_it_again() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    let pid = shim.start(&bundle.id).unwrap();
    drop(shim);
    let address = std::fs::read_to_string(bundle.path.join("address")).unwrap();
    let shim = Shim::connect(&address);
    assert_eq!(shim.state(&bundle.id).pid, pid);
    // SIGTERM is not how one ends a shim.
    kill(Pid::from_raw(shim.pid as i32), Signal::SIGTERM).unwrap();
    assert_eq!(shim.state(&bundle.id).pid, pid);
    shim.kill(&bundle.id, 9).unwrap();
    assert_eq!(shim.wait(&bundle.id), 137);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

/// Runs a container under a shim that was told of an events service at `socket`.
fn run_with_events(place: &Place, socket: &std::path::Path) {
    let bundle = Bundle::new(place, &["true"]);
    let output = place.command(&bundle, "start").env("TTRPC_ADDRESS", socket).output().unwrap();
    let shim = Shim::connect(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(shim.run(&bundle), 0);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_daemon_that_is_away_or_deaf_stops_nothing() {
    let place = Place::new();
    run_with_events(&place, std::path::Path::new("/no/such/socket"));
    // It listens, and never reads.
    let socket = place.dir.path().join("deaf");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    run_with_events(&place, &socket);
}

#[test]
fn a_daemon_is_told_of_each_step_in_order() {
    let place = Place::new();
    let socket = place.dir.path().join("events");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut topics = Vec::new();
        while topics.len() < 4 {
            let mut header = [0; 10];
            stream.read_exact(&mut header).unwrap();
            let mut payload = vec![0; u32::from_be_bytes(header[..4].try_into().unwrap()) as usize];
            stream.read_exact(&mut payload).unwrap();
            let request = Request::parse_from_bytes(&payload).unwrap();
            assert_eq!(request.service, "containerd.services.events.ttrpc.v1.Events");
            let envelope = ForwardRequest::parse_from_bytes(&request.payload).unwrap().envelope.unwrap();
            assert_eq!(envelope.namespace, support::NAMESPACE);
            topics.push((envelope.topic, envelope.event.unwrap().type_url));
            let answer = Response::new().write_to_bytes().unwrap();
            let id = u32::from_be_bytes(header[4..8].try_into().unwrap());
            // The shim may be gone already: it owes nobody a wait for the last answer.
            let sent = stream.write_all(&frame(id, 2, &answer));
            assert!(sent.is_ok() || topics.len() == 4, "{sent:?}");
        }
        topics
    });
    run_with_events(&place, &socket);
    let topics = daemon.join().unwrap();
    let want =
        [("create", "TaskCreate"), ("start", "TaskStart"), ("exit", "TaskExit"), ("delete", "TaskDelete")];
    let want = want.map(|(topic, name)| (format!("/tasks/{topic}"), format!("containerd.events.{name}")));
    assert_eq!(topics, want);
}
