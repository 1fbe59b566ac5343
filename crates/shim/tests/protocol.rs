//! ttrpc itself: both names of the service, and clients that don't behave.

mod support;

use containerd_shim_protos::api::{ConnectRequest, ConnectResponse};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::Code;
use support::raw::{Raw, frame};
use support::{Bundle, Place};

#[test]
fn both_names_are_served_and_others_are_not() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["true"]);
    let shim = place.start(&bundle);
    let mut raw = Raw::connect(shim.socket());
    let payload = ConnectRequest::new().write_to_bytes().unwrap();
    for (stream, service) in [(1, "containerd.task.v2.Task"), (3, "containerd.task.v3.Task")] {
        raw.request(stream, service, "Connect", payload.clone());
        let (answered, code, payload) = raw.answer();
        assert_eq!((answered, code), (stream, Code::OK));
        assert_eq!(ConnectResponse::parse_from_bytes(&payload).unwrap().shim_pid, shim.pid);
    }
    for (stream, service, method) in [
        (5, "containerd.task.v2.Task", "Checkpoint"),
        (7, "containerd.task.v2.Task", "ResizePty"),
        (9, "containerd.task.v2.Task", "NoSuch"),
        (11, "containerd.other", "Connect"),
    ] {
        raw.request(stream, service, method, Vec::new());
        assert_eq!(raw.answer().1, Code::UNIMPLEMENTED);
    }
    shim.shutdown();
}

#[test]
fn bad_clients_harm_nobody() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["true"]);
    let shim = place.start(&bundle);
    let mut raw = Raw::connect(shim.socket());
    // Not protobuf; then a payload that isn't its message.
    raw.send(&frame(1, 1, &[0xFF; 40]));
    assert_eq!(raw.answer().1, Code::INVALID_ARGUMENT);
    raw.request(3, "containerd.task.v2.Task", "Create", vec![0xFF; 9]);
    assert_eq!(raw.answer().1, Code::INVALID_ARGUMENT);
    // Longer than allowed: refused, passed over, and the next one is served.
    raw.send(&frame(5, 1, &vec![0; (4 << 20) + 1]));
    assert_eq!(raw.answer().1, Code::RESOURCE_EXHAUSTED);
    raw.request(7, "containerd.task.v2.Task", "Connect", Vec::new());
    assert_eq!(raw.answer().1, Code::OK);
    // Half a frame, and gone.
    let mut half = Raw::connect(shim.socket());
    half.send(&frame(1, 1, b"abc")[..7]);
    drop(half);
    assert_eq!(shim.run(&bundle), 0);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}
