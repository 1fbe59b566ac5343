//! More processes in a running container.

mod support;

use containerd_shim_protos::api::{DeleteRequest, KillRequest};
use containerd_shim_protos::ttrpc::Code;
use support::{Bundle, Place, patience, refusal};

#[test]
fn a_process_joins_and_ends_on_its_own() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    shim.exec(&bundle, "early", &["true"], "");
    assert_eq!(refusal(shim.start_exec(&bundle.id, "early")).0, Code::FAILED_PRECONDITION);
    shim.start(&bundle.id).unwrap();

    let out = bundle.path.join("joined");
    shim.exec(&bundle, "e1", &["sh", "-c", "cat /proc/1/cmdline; exit 5"], out.to_str().unwrap());
    let pid = shim.start_exec(&bundle.id, "e1").unwrap();
    assert_ne!(pid, shim.state(&bundle.id).pid);
    assert_eq!(shim.wait_exec(&bundle.id, "e1"), 5);
    // It sees the container's processes, not the host's.
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "sleep\x001000\x00");

    // One that is killed, while the container goes on.
    shim.exec(&bundle, "e2", &["sleep", "1000"], "");
    shim.start_exec(&bundle.id, "e2").unwrap();
    let mut delete = DeleteRequest::new();
    delete.id = bundle.id.clone();
    delete.exec_id = "e2".into();
    assert_eq!(refusal(shim.client.delete(patience(), &delete)).0, Code::FAILED_PRECONDITION);
    let mut kill = KillRequest::new();
    kill.id = bundle.id.clone();
    kill.exec_id = "e2".into();
    kill.signal = 9;
    shim.client.kill(patience(), &kill).unwrap();
    assert_eq!(shim.wait_exec(&bundle.id, "e2"), 137);
    assert_eq!(shim.client.delete(patience(), &delete).unwrap().exit_status, 137);
    assert_eq!(refusal(shim.client.delete(patience(), &delete)).0, Code::NOT_FOUND);

    // One that is killed with what it has started.
    let children = bundle.path.join("children");
    shim.exec(&bundle, "e4", &["sh", "-c", "/bin/sleep 987 & echo $!; wait"], children.to_str().unwrap());
    shim.start_exec(&bundle.id, "e4").unwrap();
    let running = |what: &str| {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|p| {
                std::fs::read(p.path().join("cmdline")).is_ok_and(|line| line.starts_with(what.as_bytes()))
            })
            .count()
    };
    // By its path: the shell would be its own `sleep`.
    support::eventually("its child runs", || running("/bin/sleep\x00987\x00") == 1);
    kill.exec_id = "e4".into();
    shim.client.kill(patience(), &kill).unwrap();
    assert_eq!(shim.wait_exec(&bundle.id, "e4"), 137);
    support::eventually("its child has gone too", || running("/bin/sleep\x00987\x00") == 0);

    // One that ends with the container.
    shim.exec(&bundle, "e3", &["sleep", "1000"], "");
    shim.start_exec(&bundle.id, "e3").unwrap();
    shim.kill(&bundle.id, 9).unwrap();
    assert_eq!((shim.wait_exec(&bundle.id, "e3"), shim.wait(&bundle.id)), (137, 137));
    shim.delete(&bundle.id).unwrap();
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn a_process_that_cannot_run_says_why_and_the_container_goes_on() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    shim.start(&bundle.id).unwrap();
    shim.exec(&bundle, "e1", &["nosuch"], "");
    let (_, message) = refusal(shim.start_exec(&bundle.id, "e1"));
    assert_eq!(message, r#"exec: "nosuch": executable file not found in $PATH"#);
    shim.exec(&bundle, "e2", &["true"], "");
    shim.start_exec(&bundle.id, "e2").unwrap();
    assert_eq!(shim.wait_exec(&bundle.id, "e2"), 0);
    shim.kill(&bundle.id, 9).unwrap();
    shim.wait(&bundle.id);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}
