//! Cgroups with the real kernel: needs root.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use agent::bundle::cgroup::{CgroupError, Cgroups, Layout, TaskLimits, Version, detect};

/// Removes what the test made, also when it fails.
struct Fixture(Cgroups);

impl Fixture {
    fn new() -> Self {
        Self(Cgroups::open(&format!("test{:08x}", rand::random::<u32>())).expect("cgroups are mounted"))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Err(error) = self.0.destroy_all() {
            eprintln!("left behind: {error}");
        }
    }
}

/// The directory of a task's container in the memory controller's tree.
fn memory_dir(cgroups: &Cgroups, task: &str, container: &str) -> std::path::PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("proc");
    let root = match detect(&mounts).expect("cgroups are mounted") {
        Layout::V1 { controllers } => controllers["memory"].clone(),
        Layout::V2 { root } => root,
    };
    let path = cgroups.task(task).expect("a name").container_path(container);
    root.join(path.trim_start_matches('/'))
}

/// A program inside a container's cgroup, as a runtime would start it.
fn start(dir: &std::path::Path, script: &str) -> std::process::Child {
    std::fs::create_dir_all(dir).expect("a cgroup");
    let procs = dir.join("cgroup.procs");
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec only a file is written.
    unsafe { command.pre_exec(move || std::fs::write(&procs, "0")) };
    command.spawn().expect("sh starts")
}

#[test]
fn a_task_is_made_killed_and_removed() {
    let fixture = Fixture::new();
    let cgroups = &fixture.0;
    let task = cgroups.task("one").expect("a name");
    let limits = TaskLimits { cpu_units: 512, memory_bytes: 64 << 20 };
    task.create(&limits).expect("made");
    // A bigger and a smaller size: version 1 wants its two limits in a different order for each.
    for memory_bytes in [128 << 20, 32 << 20, 64 << 20] {
        task.create(&TaskLimits { memory_bytes, ..limits }).expect("made anew");
    }
    assert_eq!(cgroups.tasks().expect("listed"), ["one"]);

    let dir = memory_dir(cgroups, "one", "web");
    let mut child = start(&dir, "sleep 100 & sleep 100 & wait");
    while task.processes().expect("listed").len() < 3 {
        std::thread::yield_now();
    }
    let usage = task.container_usage("web").expect("read").expect("there");
    assert!(usage.memory_bytes > 0, "{usage:?}");
    assert!(matches!(task.remove(), Err(CgroupError::Busy { .. })));

    task.kill().expect("killed");
    child.wait().expect("reaped");
    assert_eq!(cgroups.destroy_all().expect("destroyed"), 1);
    assert!(!dir.exists() && cgroups.tasks().expect("listed").is_empty());
    assert_eq!(cgroups.destroy_all().expect("once more is no error"), 0);
    task.remove().expect("not there is no error");
}

#[test]
fn a_kill_for_want_of_memory_is_counted() {
    let fixture = Fixture::new();
    let task = fixture.0.task("greedy").expect("a name");
    task.create(&TaskLimits { cpu_units: 0, memory_bytes: 16 << 20 }).expect("made");
    let dir = memory_dir(&fixture.0, "greedy", "main");
    std::fs::create_dir_all(&dir).expect("a cgroup");
    let file = match fixture.0.version() {
        Version::V1 => "memory.limit_in_bytes",
        Version::V2 => "memory.max",
    };
    // The container's own limit is below the task's, so the kill is the container's.
    std::fs::write(dir.join(file), (8 << 20).to_string()).expect("limited");
    assert_eq!(task.oom_kills("main").expect("read"), 0);
    let mut child = start(&dir, "x=0123456789abcdef; while :; do x=$x$x; done");
    assert!(!child.wait().expect("reaped").success());
    assert!(task.oom_kills("main").expect("read") >= 1);
}
