use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::acs::Task;

use super::*;

fn task(launch_type: &str, volumes: Value, containers: Value) -> Task {
    let containers: Vec<Value> = containers
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(n, c)| {
            let mut whole = json!({"name": format!("c{n}"), "image": "i"});
            whole.as_object_mut().unwrap().extend(c.as_object().unwrap().clone());
            whole
        })
        .collect();
    serde_json::from_value(json!({
        "arn": "arn:aws:ecs:r:0:task/c/t", "launchType": launch_type, "volumes": volumes, "containers": containers,
    }))
    .unwrap()
}

fn mount(volume: &str, path: &str) -> Value {
    json!({"sourceVolume": volume, "containerPath": path})
}

/// `destination place [ro] [fill]`, one a line.
fn told(mountings: &[Mounting]) -> Vec<String> {
    let line = |m: &Mounting| {
        let place = match &m.place {
            Place::Task { name } => format!("task:{name}"),
            Place::Anonymous { container, number } => format!("image:{container}-{number}"),
            Place::Shared { name } => format!("shared:{name}"),
            Place::Host { path } => format!("host:{}", path.display()),
        };
        let ro = if m.read_only { " ro" } else { "" };
        let fill = if m.fill { " fill" } else { "" };
        format!("{} {place}{ro}{fill}", m.destination)
    };
    mountings.iter().map(line).collect()
}

fn plan(task: &Task, container: usize, image: &[&str], of: &[Vec<Mounting>]) -> Vec<Mounting> {
    let volumes = declared(task).unwrap();
    let image: Vec<String> = image.iter().map(ToString::to_string).collect();
    let of = |n: usize| of.get(n).cloned().unwrap_or_default();
    mountings(task, &volumes, container, &image, of).unwrap()
}

#[test]
fn a_task_s_volumes_by_their_kind() {
    let volumes = json!([
        {"name": "bind"},
        {"name": "empty", "type": "host", "host": {}},
        {"name": "path", "host": {"sourcePath": "/srv/data"}},
        {"name": "own", "type": "docker", "dockerVolumeConfiguration": {"driver": "local"}},
        {"name": "kept", "type": "docker", "dockerVolumeConfiguration":
            {"scope": "shared", "autoprovision": true, "labels": {"a": "b"}}},
    ]);
    let task = task(
        "EC2",
        volumes,
        json!([{"mountPoints": [
            mount("path", "/p"), mount("kept", "/a/b"), mount("own", "/a"),
            {"sourceVolume": "empty", "containerPath": "//e/", "readOnly": true},
        ]}]),
    );
    assert_eq!(
        told(&plan(&task, 0, &["/e", "/a/b/c"], &[])),
        [
            "/a task:own fill",
            "/e task:empty ro fill",
            "/p host:/srv/data",
            "/a/b shared:kept fill",
            "/a/b/c image:0-0 fill"
        ]
    );
    let kept = declared(&task).unwrap().pop().unwrap();
    assert!(kept.autoprovision);
    assert_eq!(kept.labels, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
}

#[test]
fn fargate_fills_only_what_the_image_calls_a_volume() {
    let task = task(
        "FARGATE",
        json!([{"name": "v"}]),
        json!([{"mountPoints": [mount("v", "/data"), mount("v", "/log")]}]),
    );
    assert_eq!(told(&plan(&task, 0, &["/data/"], &[])), ["/data task:v fill", "/log task:v"]);
}

#[test]
fn volumes_of_another_container() {
    let task = task(
        "FARGATE",
        json!([{"name": "a"}, {"name": "b"}]),
        json!([
            {"mountPoints": [mount("a", "/a"), mount("b", "/b")]},
            {"volumesFrom": [{"sourceContainer": "c0", "readOnly": true}], "mountPoints": [mount("a", "/b")]},
            {"volumesFrom": [{"sourceContainer": "c1"}]},
        ]),
    );
    let first = plan(&task, 0, &["/image"], &[]);
    assert_eq!(told(&first), ["/a task:a", "/b task:b", "/image image:0-0 fill"]);
    // Its own mount point wins over the other's; an image's VOLUME doesn't.
    let second = plan(&task, 1, &["/image"], std::slice::from_ref(&first));
    assert_eq!(told(&second), ["/a task:a ro", "/b task:a", "/image image:0-0 ro"]);
    let third = plan(&task, 2, &[], &[first, second.clone()]);
    assert_eq!(
        told(&third),
        ["/a task:a ro", "/b task:a", "/image image:0-0 ro"],
        "what was read-only stays so"
    );
}

#[test]
fn what_cannot_be_had_is_named() {
    let volume = |launch: &str, volume: Value| {
        declared(&task(launch, json!([volume]), json!([{}]))).map(drop).map_err(|e| e.to_string())
    };
    let docker = |config: Value| {
        volume("EC2", json!({"name": "v", "type": "docker", "dockerVolumeConfiguration": config}))
            .unwrap_err()
    };
    assert!(docker(json!({"driver": "rexray/ebs"})).contains("volume v uses the volume driver rexray/ebs"));
    assert!(docker(json!({"driverOpts": {"type": "nfs"}})).contains("the driver option type"));
    assert!(
        docker(json!({"autoprovision": true})).contains("task scoped volume could not be autoprovisioned")
    );
    assert!(docker(json!({"scope": "galaxy"})).contains("the scope galaxy"));
    for (kind, field) in [("efs", "efsVolumeConfiguration"), ("configuredAtLaunch", "configuredAtLaunch")] {
        assert!(volume("FARGATE", json!({"name": "v", "type": kind})).unwrap_err().contains(field));
    }
    for launch in ["FARGATE", ""] {
        let error = volume(launch, json!({"name": "v", "host": {"sourcePath": "/etc"}})).unwrap_err();
        assert!(error.contains("do not support sourcePath"), "{error}");
        let error = volume(launch, json!({"name": "v", "type": "docker"})).unwrap_err();
        assert!(error.contains("do not support dockerVolumeConfiguration"), "{error}");
    }
    assert!(
        volume("EC2", json!({"name": "v", "host": {"sourcePath": "etc"}})).unwrap_err().contains("absolute")
    );
    for name in ["", "..", "a/b", "a b", &"x".repeat(256)] {
        assert!(volume("EC2", json!({"name": name})).unwrap_err().contains("volume name"), "{name}");
    }
    let container =
        |c: Value| declared(&task("EC2", json!([{"name": "v"}]), json!([c]))).unwrap_err().to_string();
    assert!(
        container(json!({"mountPoints": [mount("w", "/w")]})).contains("\"w\", which the task does not have")
    );
    assert!(
        container(json!({"mountPoints": [mount("v", "/a"), mount("v", "/a/.")]})).contains("two volumes")
    );
    assert!(container(json!({"mountPoints": [mount("v", "/proc/sys")]})).contains("inside /proc"));
    assert!(container(json!({"mountPoints": [mount("v", "data")]})).contains("must be absolute"));
    assert!(
        container(json!({"volumesFrom": [{"sourceContainer": "x"}]}))
            .contains("\"x\", which is not in the task")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked for: each path once, parents first, nothing where the runtime's own mounts are.
    #[test]
    fn mounts_are_in_order(paths in proptest::collection::vec("(/|\\.|\\.\\.|proc|dev|a|b|shm){1,8}", 1..8)) {
        let mounts: Vec<Value> = paths.iter().map(|path| mount("v", path)).collect();
        let task = task("FARGATE", json!([{"name": "v"}]), json!([{"mountPoints": mounts}]));
        let Ok(volumes) = declared(&task) else { return Ok(()) };
        let all = mountings(&task, &volumes, 0, &[], |_| vec![]).unwrap();
        let mut seen: Vec<&str> = vec![];
        for mounting in &all {
            let path = mounting.destination.as_str();
            prop_assert!(path.starts_with('/') && !path.contains("//") && path.len() > 1);
            prop_assert!(!path.split('/').any(|part| part == "." || part == ".."));
            prop_assert!(!Path::new(path).starts_with("/proc"));
            prop_assert!(!seen.iter().any(|before| Path::new(before).starts_with(path)), "{path} after {seen:?}");
            seen.push(path);
        }
    }
}

struct Bench {
    dir: tempfile::TempDir,
    volumes: Volumes,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("rootfs")).unwrap();
        let volumes = Volumes::open(&dir.path().join("volumes")).unwrap();
        Bench { dir, volumes }
    }

    fn rootfs(&self) -> std::path::PathBuf {
        self.dir.path().join("rootfs")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.rootfs().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn prepare(&self, mountings: &[Mounting]) -> Result<Vec<Mounted>, StoreError> {
        self.volumes.prepare("t", 0, mountings, &self.rootfs())
    }
}

fn own(destination: &str) -> Mounting {
    let place = Place::Task { name: "v".into() };
    Mounting { place, destination: destination.into(), read_only: false, fill: true }
}

#[test]
fn an_image_s_content_is_copied_as_it_is() {
    let bench = Bench::new();
    bench.write("data/dir/file", "text");
    let data = bench.rootfs().join("data");
    fs::set_permissions(data.join("dir/file"), fs::Permissions::from_mode(0o4640)).unwrap();
    fs::set_permissions(data.join("dir"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::lchown(&data, Some(1234), Some(1235)).unwrap();
    symlink("/etc/passwd", data.join("link")).unwrap();
    symlink("data", bench.rootfs().join("alias")).unwrap();

    // By a link of the image's.
    let mounted = bench.prepare(&[own("/alias")]).unwrap();
    let made = &mounted[0].source;
    let about = |path: &str| fs::symlink_metadata(made.join(path)).unwrap();
    assert_eq!(fs::read_to_string(made.join("dir/file")).unwrap(), "text");
    assert_eq!(about("dir/file").mode() & 0o7777, 0o4640);
    assert_eq!(about("dir").mode() & 0o7777, 0o751);
    assert_eq!((about(".").mode() & 0o7777, about(".").uid(), about(".").gid()), (0o1777, 1234, 1235));
    assert_eq!(fs::read_link(made.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(about("dir/file").mtime(), fs::metadata(data.join("dir/file")).unwrap().mtime());

    // What a container did since is not undone.
    fs::remove_file(made.join("dir/file")).unwrap();
    assert_eq!(bench.prepare(&[own("/alias")]).unwrap(), mounted);
    assert!(!made.join("dir/file").exists());
    assert_eq!(bench.volumes.mountings_of("t", 0), [own("/alias")]);
    assert_eq!(bench.volumes.mountings_of("t", 1), []);
}

#[test]
fn a_copy_that_was_interrupted_is_made_again() {
    let bench = Bench::new();
    bench.write("data/a", "whole");
    let made = bench.prepare(&[own("/data")]).unwrap().remove(0).source;
    // As a kill in the middle leaves it.
    fs::write(made.join("a"), "ha").unwrap();
    fs::write(made.parent().unwrap().join("filling"), "").unwrap();
    bench.prepare(&[own("/data")]).unwrap();
    assert_eq!(fs::read_to_string(made.join("a")).unwrap(), "whole");
    fs::write(made.join("a"), "changed").unwrap();
    bench.prepare(&[own("/data")]).unwrap();
    assert_eq!(fs::read_to_string(made.join("a")).unwrap(), "changed", "done is done");
}

#[test]
fn links_lead_nowhere_else() {
    let bench = Bench::new();
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "s").unwrap();
    // The image's: read beneath its root, where there is no such thing.
    symlink(&outside, bench.rootfs().join("data")).unwrap();
    let refused = bench.prepare(&[own("/data")]).unwrap_err();
    assert!(refused.to_string().contains("/data"), "{refused}");
    fs::remove_file(bench.rootfs().join("data")).unwrap();
    let made = bench.prepare(&[own("/data")]).unwrap().remove(0).source;
    assert_eq!(fs::read_dir(&made).unwrap().count(), 0);

    // A container's, in the volume, where a copy is about to go on.
    bench.write("more/sub/file", "x");
    symlink(&outside, made.join("sub")).unwrap();
    fs::write(made.parent().unwrap().join("filling"), "").unwrap();
    assert!(bench.prepare(&[own("/more")]).is_err());
    bench.volumes.make_working_directory("t", &[own("/more")], "/more/sub/work").unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was made outside");

    bench.volumes.make_working_directory("t", &[own("/more")], "/more/new/work").unwrap();
    assert!(made.join("new/work").is_dir());
    bench.volumes.remove_task("t").unwrap();
    assert!(outside.join("secret").exists() && !made.exists());
    bench.volumes.remove_task("t").unwrap();
}

#[test]
fn a_link_to_the_kernel_s_directories_is_refused() {
    let bench = Bench::new();
    symlink("/proc", bench.rootfs().join("data")).unwrap();
    symlink("../../sys/fs", bench.rootfs().join("deep")).unwrap();
    for path in ["/data", "/data/x"] {
        let error = bench.prepare(&[own(path)]).unwrap_err();
        assert!(matches!(error, StoreError::Reserved { inside: "/proc", .. }), "{error}");
    }
    assert!(matches!(bench.prepare(&[own("/deep/x")]), Err(StoreError::Dangling(_))));
    bench.prepare(&[own("/dev/shm"), own("/elsewhere")]).unwrap();
}

#[test]
fn shared_ones_are_kept_and_those_of_tasks_swept() {
    let bench = Bench::new();
    let shared = |autoprovision| Volume {
        name: "kept".into(),
        place: Place::Shared { name: "kept".into() },
        autoprovision,
        labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
    };
    let mounting = Mounting { place: shared(false).place, ..own("/kept") };
    assert!(
        matches!(bench.volumes.provision(&[shared(false)]), Err(StoreError::Missing(name)) if name == "kept")
    );
    assert!(matches!(bench.prepare(std::slice::from_ref(&mounting)), Err(StoreError::Missing(_))));
    bench.volumes.provision(&[shared(true)]).unwrap();
    bench.volumes.provision(&[shared(true)]).unwrap();
    bench.volumes.provision(&[shared(false)]).unwrap();
    let made = bench.prepare(&[mounting, own("/own")]).unwrap();
    fs::write(made[0].source.join("f"), "still").unwrap();
    let note = fs::read_to_string(made[0].source.parent().unwrap().join("volume.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&note).unwrap(),
        json!({"driver": "local", "labels": {"team": "a"}})
    );
    // Half made, as a kill leaves it.
    fs::create_dir(bench.dir.path().join("volumes/shared/.new-1")).unwrap();

    let all = HashSet::from(["t".to_owned()]);
    assert_eq!(bench.volumes.sweep(&all).unwrap(), 1);
    assert!(made[1].source.exists());
    assert_eq!(bench.volumes.sweep(&HashSet::new()).unwrap(), 1);
    assert!(!made[1].source.exists());
    assert_eq!(fs::read_to_string(made[0].source.join("f")).unwrap(), "still");
    assert_eq!(fs::metadata(bench.dir.path().join("volumes")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_host_s_directory_is_made_and_left() {
    let bench = Bench::new();
    let path = bench.dir.path().join("srv/data");
    let mounting = Mounting { place: Place::Host { path: path.clone() }, fill: false, ..own("/data") };
    let mounted = bench.prepare(&[mounting]).unwrap();
    assert_eq!(
        mounted,
        [Mounted { source: path.clone(), destination: "/data".into(), read_only: false, of_host: true }]
    );
    bench.volumes.remove_task("t").unwrap();
    assert!(path.is_dir());
}

#[test]
fn a_tree_deeper_than_our_descriptors_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("top");
    fs::create_dir(&top).unwrap();
    let mut here = tree::open_directory(&top).unwrap();
    for _ in 0..3000 {
        nix::sys::stat::mkdirat(&here, "d", nix::sys::stat::Mode::from_bits_truncate(0o755)).unwrap();
        here = tree::open_child(&here, "d".as_ref()).unwrap();
    }
    assert!(
        matches!(measure(std::slice::from_ref(&top)).unwrap(), Measure::Bytes(_)),
        "a chain is no effort"
    );
    crate::remove_tree(&top).unwrap();
}

#[test]
fn what_directories_take() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    fs::create_dir_all(a.join("sub")).unwrap();
    fs::create_dir(&b).unwrap();
    let empty = measure(&[a.clone(), b.clone()]).unwrap();
    fs::write(a.join("sub/file"), vec![1u8; 1 << 20]).unwrap();
    fs::hard_link(a.join("sub/file"), b.join("again")).unwrap();
    fs::File::create(b.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    symlink("/", b.join("everything")).unwrap();
    fs::File::open(a.join("sub/file")).unwrap().sync_all().unwrap();
    let (Measure::Bytes(empty), Measure::Bytes(full)) =
        (empty, measure(&[a, b, dir.path().join("none")]).unwrap())
    else {
        panic!("too deep")
    };
    assert!((1 << 20..2 << 20).contains(&(full - empty)), "{} bytes more", full - empty);
}
