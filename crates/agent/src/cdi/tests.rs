use std::path::Path;

use oci_spec::runtime::LinuxDeviceType;
use proptest::prelude::*;

use super::edits::Node;
use super::*;

/// As NVIDIA's `nvidia-ctk cdi generate` writes it, shortened.
const NVIDIA: &str = r#"
---
cdiVersion: 0.5.0
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
  - path: /dev/nvidiactl
  hooks:
  - args:
    - nvidia-ctk
    - hook
    - update-ldcache
    - --folder
    - /usr/lib/x86_64-linux-gnu
    env:
    - NVIDIA_CTK_DEBUG=false
    hookName: createContainer
    path: /usr/bin/nvidia-ctk
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    options:
    - ro
    - nosuid
    - nodev
    - bind
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/dri/card1
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia1
      fileMode: 0660
  name: "1"
- containerEdits:
    deviceNodes:
    - path: /dev/dri/card1
    - path: /dev/nvidia0
  name: GPU-aaaaaaaa-0000-0000-0000-000000000000
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
    - path: /dev/nvidia1
    - path: /dev/dri/card1
  name: all
kind: nvidia.com/gpu
"#;

fn spec(kind: &str, devices: &[(&str, &[&str])]) -> String {
    let node = |path: &&str| serde_json::json!({"path": path});
    let device = |(name, nodes): &(&str, &[&str])| {
        serde_json::json!({
            "name": name,
            "containerEdits": {"deviceNodes": nodes.iter().map(node).collect::<Vec<_>>()},
        })
    };
    let devices: Vec<_> = devices.iter().map(device).collect();
    serde_json::json!({"cdiVersion": "0.6.0", "kind": kind, "devices": devices}).to_string()
}

/// Directories with files, and what is read of them.
struct Bench {
    dirs: Vec<tempfile::TempDir>,
    specs: Specs,
}

fn bench(directories: &[&[(&str, &str)]]) -> Bench {
    let dirs: Vec<_> = directories.iter().map(|_| tempfile::tempdir().unwrap()).collect();
    for (dir, files) in dirs.iter().zip(directories) {
        files.iter().for_each(|(name, text)| std::fs::write(dir.path().join(name), text).unwrap());
    }
    let specs = Specs::new(dirs.iter().map(|dir| dir.path().to_owned()).collect());
    Bench { dirs, specs }
}

fn gpus(directories: &[&[(&str, &str)]]) -> Vec<String> {
    bench(directories).specs.gpus(&[])
}

fn look(path: &Path) -> Result<Node, String> {
    let numbers = [("/dev/nvidiactl", 255), ("/dev/nvidia0", 0), ("/dev/nvidia1", 1), ("/dev/dri/card1", 9)];
    let minor = numbers.iter().find(|(known, _)| Path::new(known) == path).ok_or("gone")?.1;
    Ok(Node { kind: LinuxDeviceType::C, major: 195, minor, mode: 0o666 })
}

fn edits_of(text: &str, names: &[&str]) -> Result<Edits, CdiError> {
    let loaded = [Loaded { path: "/etc/cdi/x.yaml".into(), rank: 0, spec: file::yaml(text).unwrap() }];
    let (named, _) = gpus::devices(&loaded);
    let wanted: Vec<_> =
        names.iter().map(|name| *named.iter().find(|one| one.device.name == *name).unwrap()).collect();
    edits::of(&wanted, look)
}

#[test]
fn the_names_of_one_gpu_are_one_gpu() {
    let found = gpus(&[&[("nvidia.yaml", NVIDIA)]]);
    assert_eq!(found, ["nvidia.com/gpu=GPU-aaaaaaaa-0000-0000-0000-000000000000", "nvidia.com/gpu=1"]);
    // Whoever has it under its number has it still.
    let held = bench(&[&[("nvidia.yaml", NVIDIA)]]).specs.gpus(&["nvidia.com/gpu=0".into()]);
    assert_eq!(held, ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]);
    // What Kubernetes' device plugin writes of the same.
    let plugin = spec("k8s.device-plugin.nvidia.com/gpu", &[("GPU-bbbbbbbb", &["/dev/nvidia1"])]);
    let found = gpus(&[&[("nvidia.yaml", NVIDIA)], &[("plugin.json", &plugin)]]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1], "nvidia.com/gpu=1");
}

#[test]
fn what_is_no_gpu_of_its_own_is_none() {
    let other = spec("vendor.com/net", &[("eth0", &["/dev/net0"])]);
    let parts = spec(
        "amd.com/gpu",
        &[
            ("0", &["/dev/dri/a"]),
            ("1", &["/dev/dri/b"]),
            ("both", &["/dev/dri/a", "/dev/dri/b"]),
            ("all", &["/x"]),
        ],
    );
    let found = gpus(&[&[("a.json", &other), ("b.json", &parts), ("notes.txt", "{"), ("c.json.swp", "{")]]);
    assert_eq!(found, ["amd.com/gpu=0", "amd.com/gpu=1"]);
    // A partition has its parent's node, and those that make it another.
    let partitions =
        spec("nvidia.com/gpu", &[("0:0", &["/dev/nvidia0", "/c1"]), ("0:1", &["/dev/nvidia0", "/c2"])]);
    assert_eq!(gpus(&[&[("a.json", &partitions)]]), ["nvidia.com/gpu=0:0", "nvidia.com/gpu=0:1"]);
    assert_eq!(gpus(&[&[("a.json", &spec("x.y/gpu", &[("a", &[]), ("b", &[])]))]]).len(), 2);
}

#[test]
fn a_later_directory_counts_and_a_quarrel_in_one_makes_the_name_nobodys() {
    let zero = spec("x.com/gpu", &[("0", &["/dev/x0"])]);
    let other = spec("x.com/gpu", &[("0", &["/dev/x9"]), ("1", &["/dev/x1"])]);
    let quarrel = bench(&[&[("a.json", &zero), ("b.json", &other)]]);
    assert_eq!(quarrel.specs.gpus(&[]), ["x.com/gpu=1"]);
    let later = bench(&[&[("a.json", &zero)], &[("a.json", &other)]]);
    assert_eq!(later.specs.gpus(&[]), ["x.com/gpu=0", "x.com/gpu=1"]);
    let why = later.specs.edits(&["x.com/gpu=0".into()]).unwrap_err().to_string();
    assert!(why.contains("/dev/x9"), "{why}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_the_others_are() {
    let good = spec("x.com/gpu", &[("0", &["/dev/null"])]);
    let newer = r#"{"cdiVersion":"1.2.0","kind":"x.com/gpu","devices":[{"name":"1","containerEdits":{"lasers":[]}}]}"#;
    let bench = bench(&[&[("bad.json", "{"), ("good.json", &good), ("newer.json", newer)]]);
    std::fs::create_dir(bench.dirs[0].path().join("dir.json")).unwrap();
    assert_eq!(bench.specs.gpus(&[]), ["x.com/gpu=0"]);
    let (_, unread) = bench.specs.load();
    let said = |file: &str, what: &str| unread.iter().any(|why| why.contains(file) && why.contains(what));
    assert!(
        said("bad.json", "EOF") && said("newer.json", "lasers") && said("dir.json", "no file"),
        "{unread:?}"
    );
    // And where something is missing, that may be why.
    let why = bench.specs.edits(&["x.com/gpu=1".into()]).unwrap_err().to_string();
    assert!(why.starts_with("the GPU x.com/gpu=1 is not on this machine any more"), "{why}");
    assert!(why.contains("newer.json"), "{why}");
    assert_eq!(Specs::new(vec!["/no/such/directory".into()]).gpus(&[]), Vec::<String>::new());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let with = |edits: &str| {
        format!(
            r#"{{"cdiVersion":"0.6.0","kind":"x.com/gpu","devices":[{{"name":"0","containerEdits":{edits}}}]}}"#
        )
    };
    assert!(file::json(&with("{}")).is_ok());
    for (edits, what) in [
        (r#"{"env":["=x"]}"#, "env"),
        (r#"{"deviceNodes":[{"path":"dev/x"}]}"#, "absolute"),
        (r#"{"deviceNodes":[{"path":"/dev/x","type":"z"}]}"#, "type"),
        (r#"{"deviceNodes":[{"path":"/dev/x","permissions":"rx"}]}"#, "permissions"),
        (r#"{"mounts":[{"hostPath":"","containerPath":"/x"}]}"#, "mount"),
        (r#"{"hooks":[{"hookName":"later","path":"/x"}]}"#, "later"),
        (r#"{"hooks":[{"hookName":"poststop","path":"x"}]}"#, "absolute"),
        (r#"{"hooks":[{"hookName":"poststop","path":"/x","timeout":0}]}"#, "timeout"),
    ] {
        let why = file::json(&with(edits)).unwrap_err();
        assert!(why.contains(what), "{edits}: {why}");
    }
    for (text, what) in [
        (r#"{"cdiVersion":"2.0.0","kind":"x.com/gpu","devices":[{"name":"0"}]}"#, "cdiVersion"),
        (r#"{"cdiVersion":"0.6.0","kind":"gpu","devices":[{"name":"0"}]}"#, "kind"),
        (r#"{"cdiVersion":"0.6.0","kind":"x.com/gpu","devices":[]}"#, "no devices"),
        (r#"{"cdiVersion":"0.6.0","kind":"x.com/gpu","devices":[{"name":"a b"}]}"#, "name"),
        (r#"{"cdiVersion":"0.6.0","kind":"x.com/gpu","devices":[{"name":"0"},{"name":"0"}]}"#, "twice"),
    ] {
        let why = file::json(text).unwrap_err();
        assert!(why.contains(what), "{text}: {why}");
    }
}

#[test]
fn a_container_gets_the_edits_of_the_file_once_and_of_its_devices() {
    let edits = edits_of(NVIDIA, &["0", "1"]).unwrap();
    assert_eq!(edits.env, [("NVIDIA_VISIBLE_DEVICES".to_owned(), "void".to_owned())]);
    let nodes: Vec<_> =
        edits.nodes.iter().map(|node| (node.path.as_str(), node.major, node.minor, node.mode)).collect();
    assert_eq!(
        nodes,
        [
            ("/dev/nvidiactl", 195, 255, Some(0o666)),
            ("/dev/nvidia0", 195, 0, Some(0o666)),
            ("/dev/dri/card1", 195, 9, Some(0o666)),
            ("/dev/nvidia1", 195, 1, Some(0o660)),
        ]
    );
    assert_eq!((edits.mounts.len(), edits.hooks.create_container.len()), (1, 1));
    assert_eq!(edits.hooks.create_container[0].args[2], "update-ldcache");
    let one = edits_of(NVIDIA, &["1"]).unwrap();
    assert_eq!(one.nodes.len(), 2, "nothing of the other GPU");
}

#[test]
fn a_node_is_what_the_file_says_and_else_what_is_there() {
    let node = |text: &str| {
        let whole = format!(
            r#"{{"cdiVersion":"0.6.0","kind":"x.com/gpu","devices":[{{"name":"0","containerEdits":{{"deviceNodes":[{text}]}}}}]}}"#
        );
        edits_of(&whole, &["0"]).map(|edits| edits.nodes[0].clone())
    };
    let seen = node(r#"{"path":"/dev/gpu","hostPath":"/dev/nvidia1","permissions":"rw","gid":7}"#).unwrap();
    assert_eq!(
        (seen.path.as_str(), seen.major, seen.minor, seen.access.as_str()),
        ("/dev/gpu", 195, 1, "rw")
    );
    assert_eq!((seen.uid, seen.gid), (None, Some(7)));
    // Described in full, it need not be there.
    let told = node(r#"{"path":"/dev/g","type":"c","major":240,"minor":3,"permissions":"none"}"#).unwrap();
    assert_eq!((told.major, told.minor, told.mode, told.access.as_str()), (240, 3, None, ""));
    let gone = node(r#"{"path":"/dev/g"}"#).unwrap_err().to_string();
    assert_eq!(gone, "the device /dev/g of the GPU x.com/gpu=0: gone");
    assert!(node(r#"{"path":"/dev/nvidia0","type":"b"}"#).unwrap_err().to_string().contains("another type"));
    assert_eq!(edits::look(Path::new("/dev/null")).unwrap().minor, 3);
    assert!(edits::look(Path::new("/dev")).is_err());
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    for (edits, what) in
        [(r#"{"intelRdt":{"closID":"a"}}"#, "intelRdt"), (r#"{"netDevices":[{"name":"a"}]}"#, "netDevices")]
    {
        let text = format!(
            r#"{{"cdiVersion":"1.1.0","kind":"x.com/gpu","devices":[{{"name":"0"}}],"containerEdits":{edits}}}"#
        );
        let why = edits_of(&text, &["0"]).unwrap_err().to_string();
        assert!(why.contains(what) && why.contains("/etc/cdi/x.yaml"), "{why}");
    }
}

/// Names of one kind, each with some of five nodes.
fn any_devices() -> impl Strategy<Value = Vec<(String, Vec<usize>)>> {
    let nodes = prop::collection::btree_set(0..5usize, 0..4).prop_map(|nodes| nodes.into_iter().collect());
    prop::collection::btree_map("[a-c][0-9]{0,2}|all", nodes, 1..8).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_node_set_is_two_gpus(files in prop::collection::vec(any_devices(), 1..4)) {
        let paths = ["/dev/a", "/dev/b", "/dev/c", "/dev/d", "/dev/e"];
        let loaded: Vec<Loaded> = files.iter().enumerate().map(|(rank, devices)| {
            let nodes: Vec<Vec<&str>> =
                devices.iter().map(|(_, nodes)| nodes.iter().map(|node| paths[*node]).collect()).collect();
            let devices: Vec<(&str, &[&str])> =
                devices.iter().zip(&nodes).map(|((name, _), nodes)| (name.as_str(), &nodes[..])).collect();
            let text = spec(&format!("vendor{}.com/gpu", rank % 2), &devices);
            Loaded { path: "x".into(), rank, spec: file::json(&text).unwrap() }
        }).collect();
        let (named, _) = gpus::devices(&loaded);
        let ids = gpus::gpus(&named, &[]);
        let nodes: Vec<std::collections::BTreeSet<&str>> = ids.iter().map(|id| {
            let one = named.iter().find(|one| one.name() == *id).expect("an id is a device's name");
            one.device.container_edits.device_nodes.iter().map(|node| node.on_the_machine()).collect()
        }).collect();
        for (n, own) in nodes.iter().enumerate() {
            prop_assert!(!ids[n].ends_with("=all"));
            prop_assert!(!ids[..n].contains(&ids[n]));
            prop_assert!(own.is_empty() || !nodes[..n].contains(own), "{:?}", ids);
            // Whoever holds a name of it, it is one GPU still.
            let again = gpus::gpus(&named, &[ids[n].clone()]);
            prop_assert!(again.contains(&ids[n]) && again.len() == ids.len());
        }
    }

    #[test]
    fn no_text_panics(text in "[\\PC\n]{0,200}|(cdiVersion|kind|devices|containerEdits|name)[:{\\[ \n-]{0,4}") {
        let _ = (file::json(&text), file::yaml(&text));
    }
}
