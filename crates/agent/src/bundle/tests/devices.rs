use super::*;

#[test]
fn what_devices_bring_is_the_containers() {
    let node = DeviceNode {
        path: "/dev/gpu0".to_owned(),
        kind: oci_spec::runtime::LinuxDeviceType::C,
        major: 195,
        minor: 1,
        mode: Some(0o660),
        uid: None,
        gid: Some(44),
        access: "rw".to_owned(),
    };
    let shut = DeviceNode { path: "/dev/gpu1".to_owned(), minor: 2, access: String::new(), ..node.clone() };
    let mount = DeviceMount {
        source: "/opt/libcuda.so".to_owned(),
        destination: "/usr/lib/libcuda.so".to_owned(),
        kind: None,
        options: vec!["ro".to_owned(), "bind".to_owned()],
    };
    let hook = Hook {
        path: "/usr/bin/tool".to_owned(),
        args: vec!["tool".to_owned(), "x".to_owned()],
        env: vec![],
        timeout_s: Some(5),
    };
    let spec = build(|plan| {
        plan.user = User { uid: 7, gid: 7, additional_gids: vec![44], home: "/".to_owned() };
        plan.volumes = vec![VolumeMount {
            source: "/data/v".into(),
            destination: "/usr/lib/libcuda.so".to_owned(),
            read_only: false,
            recursive: false,
        }];
        plan.edits = Edits {
            env: vec![("VERSION".to_owned(), "3".to_owned()), ("GPU".to_owned(), "0".to_owned())],
            nodes: vec![node, shut],
            mounts: vec![mount],
            hooks: Hooks { create_container: vec![hook], ..Hooks::default() },
            additional_gids: vec![44, 45],
        };
    });
    let spec = serde_json::to_value(spec.unwrap()).unwrap();
    let (process, linux) = (&spec["process"], &spec["linux"]);
    let env = process["env"].as_array().unwrap();
    assert!(env.contains(&"VERSION=3".into()) && env.contains(&"GPU=0".into()), "{env:?}");
    assert_eq!(process["user"]["additionalGids"], serde_json::json!([44, 45]));
    let devices = linux["devices"].as_array().unwrap();
    assert_eq!(
        devices[0],
        serde_json::json!({
            "path": "/dev/gpu0", "type": "c", "major": 195, "minor": 1, "fileMode": 0o660, "uid": 7, "gid": 44,
        })
    );
    let rules = linux["resources"]["devices"].as_array().unwrap();
    let of_gpus: Vec<_> = rules.iter().filter(|rule| rule["major"] == 195).collect();
    assert_eq!(
        of_gpus,
        [&serde_json::json!({"allow": true, "type": "c", "major": 195, "minor": 1, "access": "rw"})]
    );
    let mounts: Vec<_> =
        spec["mounts"].as_array().unwrap().iter().map(|m| (&m["destination"], &m["type"])).collect();
    let at = |name: &str| mounts.iter().position(|(destination, _)| *destination == name).unwrap();
    assert_eq!(mounts.iter().filter(|(destination, _)| *destination == "/usr/lib/libcuda.so").count(), 1);
    assert_eq!(mounts[at("/usr/lib/libcuda.so")].1, "bind");
    assert!(at("/usr/lib/libcuda.so") < at("/proc"), "the kernel's file systems come on top");
    assert_eq!(
        spec["hooks"],
        serde_json::json!({"createContainer": [{"path": "/usr/bin/tool", "args": ["tool", "x"], "timeout": 5}]})
    );
}
