//! Hooks: run where and when the OCI runtime specification says, and what fails of them is told.

mod support;

use serde_json::{Value, json};
use support::{Bundle, Place, refusal};

/// Appends a line to `story` in the bundle's folder, by a shell of the machine's.
fn tell(story: &std::path::Path, words: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", format!("echo {words} >> {}", story.display())]})
}

#[test]
fn each_is_run_in_its_turn_and_place() {
    let place = Place::new();
    let dir = tempfile::tempdir().unwrap();
    let story = dir.path().join("story");
    let bundle = Bundle::with(&place, &["sh", "-c", "cat /made /dev/shm/x"], |config| {
        config["root"]["readonly"] = json!(true);
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.push(json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm"}));
        // In the container's namespaces, on the machine's files: its root is the working directory.
        let make = format!(
            "echo pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/') mounts=$(ls -d proc/self) > made; echo createContainer >> {}",
            story.display()
        );
        config["hooks"] = json!({
            "prestart": [tell(&story, "prestart")],
            "createRuntime": [tell(&story, "createRuntime $(grep -o '\"status\":\"[a-z]*\"')")],
            "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", make], "env": ["PATH=/bin:/usr/bin"]}],
            // In the container, as its own program is.
            "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo started > /dev/shm/x"], "timeout": 30}],
            "poststart": [tell(&story, "poststart")],
            "poststop": [tell(&story, "poststop"), {"path": "/no/such/hook"}],
        });
    });
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    let told = || std::fs::read_to_string(&story).unwrap();
    assert_eq!(told(), "prestart\ncreateRuntime \"status\":\"creating\"\ncreateContainer\n");
    shim.start(&bundle.id).unwrap();
    assert!(told().ends_with("poststart\n"));
    assert_eq!(shim.wait(&bundle.id), 0);
    assert_eq!(bundle.output(), "pid=1 mounts=proc/self\nstarted\n");
    shim.delete(&bundle.id).unwrap();
    assert!(told().ends_with("poststop\n"));
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn one_that_fails_ends_the_container_before_its_program_runs() {
    let place = Place::new();
    for name in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        let bundle = Bundle::with(&place, &["sh", "-c", "echo reached"], |config| {
            let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", "echo no luck >&2; exit 4"]});
            config["hooks"] = json!({name: [hook]});
        });
        let shim = place.start(&bundle);
        let made = shim.create(&bundle);
        let (_, why) = match name {
            "startContainer" => {
                made.unwrap();
                refusal(shim.start(&bundle.id))
            }
            _ => refusal(made),
        };
        assert!(why.contains(&format!("{name} hook /bin/sh: exit status: 4: no luck")), "{why}");
        if name == "startContainer" {
            shim.wait(&bundle.id);
            shim.delete(&bundle.id).unwrap();
        }
        assert_eq!(bundle.output(), "");
        bundle.assert_gone(&place);
        shim.shutdown();
    }
}

#[test]
fn one_that_cannot_be_run_is_refused_before_anything_is_made() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["true"], |config| {
        config["hooks"] = json!({"poststop": [{"path": "relative"}]});
    });
    let shim = place.start(&bundle);
    let (_, why) = refusal(shim.create(&bundle));
    assert!(why.contains("not absolute"), "{why}");
    bundle.assert_gone(&place);
    shim.shutdown();
}
