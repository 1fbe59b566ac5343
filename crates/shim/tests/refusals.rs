//! What can't be done is said in words that a user of ECS understands, and nothing is left of it.

mod support;

use containerd_shim_protos::api::CreateTaskRequest;
use containerd_shim_protos::ttrpc::Code;
use support::{Bundle, Place, patience, refusal};

/// The message of a container that can't be created, from Create or from Start.
fn fails(place: &Place, bundle: &Bundle) -> String {
    let shim = place.start(bundle);
    let message = match shim.create(bundle) {
        Err(_) => {
            bundle.assert_gone(place);
            let again = refusal(shim.create(bundle));
            assert_eq!(again.0, Code::UNKNOWN);
            again.1
        }
        Ok(_) => {
            let message = refusal(shim.start(&bundle.id)).1;
            assert_ne!(shim.wait(&bundle.id), 0);
            shim.delete(&bundle.id).unwrap();
            message
        }
    };
    bundle.assert_gone(place);
    shim.shutdown();
    message
}

#[test]
fn a_missing_program_is_named() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["nosuch", "arg"]);
    assert_eq!(fails(&place, &bundle), r#"exec: "nosuch": executable file not found in $PATH"#);
    let bundle = Bundle::new(&place, &["/no/such"]);
    assert_eq!(fails(&place, &bundle), r#"exec: "/no/such": stat /no/such: no such file or directory"#);
}

#[test]
fn a_program_that_cannot_be_executed_says_why() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    for (text, mode, why) in [
        ("#!/bin/sh\n", 0o644, "permission denied"),
        ("#!/no/interpreter\n", 0o755, "no such file or directory"),
        ("neither script nor program", 0o755, "exec format error"),
    ] {
        let bundle = Bundle::new(&place, &["/tmp/program"]);
        let file = bundle.path.join("rootfs/tmp/program");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fails(&place, &bundle), format!(r#"exec: "/tmp/program": {why}"#));
    }
    let bundle = Bundle::new(&place, &["/tmp"]);
    assert_eq!(fails(&place, &bundle), r#"exec: "/tmp": is a directory"#);
}

#[test]
fn a_working_directory_that_cannot_be_made_is_named() {
    let place = Place::new();
    let bundle =
        Bundle::with(&place, &["true"], |config| config["process"]["cwd"] = "/bin/true/where".into());
    let message = fails(&place, &bundle);
    assert!(message.contains("/bin/true/where") && message.contains("ENOTDIR"), "{message}");
}

#[test]
fn a_mount_that_fails_tells_its_cause() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["true"], |config| {
        let mount = serde_json::json!({"destination": "/x", "type": "bind", "source": "/no/source", "options": ["bind"]});
        config["mounts"].as_array_mut().unwrap().push(mount);
    });
    let message = fails(&place, &bundle);
    assert!(message.contains("/no/source") || message.contains("ENOENT"), "{message}");
}

#[test]
fn a_specification_without_a_path_has_the_usual_one() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["true"], |config| config["process"]["env"] = serde_json::json!([]));
    let shim = place.start(&bundle);
    assert_eq!(shim.run(&bundle), 0);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn a_bad_request_is_refused_with_its_code() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    assert_eq!(refusal(shim.start("nobody")).0, Code::NOT_FOUND);
    assert_eq!(refusal(shim.kill("nobody", 9)).0, Code::NOT_FOUND);
    let mut request = CreateTaskRequest::new();
    request.id = "../x".into();
    assert_eq!(refusal(shim.client.create(patience(), &request)).0, Code::INVALID_ARGUMENT);
    request.id = "x".into();
    request.bundle = "/no/bundle".into();
    let (code, message) = refusal(shim.client.create(patience(), &request));
    assert_eq!(code, Code::INVALID_ARGUMENT);
    assert!(message.contains("/no/bundle/config.json"), "{message}");
    request.terminal = true;
    assert_eq!(refusal(shim.client.create(patience(), &request)).0, Code::UNIMPLEMENTED);
    let missing = shim.create_with(&bundle, "/no/such/dir/out", "");
    assert!(refusal(missing).1.contains("/no/such/dir/out"));
    bundle.assert_gone(&place);
    shim.create(&bundle).unwrap();
    assert_eq!(refusal(shim.create(&bundle)).0, Code::ALREADY_EXISTS);
    assert_eq!(refusal(shim.kill(&bundle.id, 12345)).0, Code::UNKNOWN);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn start_without_a_bundle_fails_in_words() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["true"]);
    std::fs::remove_file(bundle.path.join("config.json")).unwrap();
    let output = place.command(&bundle, "start").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("config.json") && text.contains("No such file"), "{text}");
    std::fs::write(bundle.path.join("config.json"), "{").unwrap();
    assert!(!place.command(&bundle, "start").output().unwrap().status.success());
}
