use std::path::Path;

use super::*;

const HYBRID: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";

#[test]
fn layouts_are_told_apart() {
    let Some(Layout::V1 { controllers }) = detect(HYBRID) else { panic!("a hybrid host is version 1") };
    let names: Vec<&str> = controllers.keys().map(String::as_str).collect();
    assert_eq!(names, ["", "cpu", "cpuacct", "memory", "pids", "systemd"]);
    assert_eq!(controllers["cpu"], controllers["cpuacct"]);
    assert_eq!(Layout::V1 { controllers }.roots().len(), 5);

    let unified =
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
    assert_eq!(detect(unified), Some(Layout::V2 { root: "/sys/fs/cgroup".into() }));
    // systemd's own tree without controllers does not make a host version 1.
    let with_systemd =
        format!("{unified}\n40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd");
    assert_eq!(detect(&with_systemd).map(|layout| layout.version()), Some(Version::V2));
    let spaced = r"30 23 0:26 / /mnt/with\040blank rw - cgroup2 cgroup2 rw";
    assert_eq!(detect(spaced), Some(Layout::V2 { root: "/mnt/with blank".into() }));
    assert_eq!(detect("27 1 254:0 / / rw - ext4 /dev/vda rw"), None);
    assert_eq!(detect("nonsense - cgroup"), None);
}

/// A tree like version 2's: the kernel makes these files with the directory, here the test does.
fn fake(root: &Path, task: &str, files: &[&str]) {
    for dir in [root.to_owned(), root.join("longshore-t"), root.join("longshore-t").join(task)] {
        std::fs::create_dir_all(&dir).unwrap();
        for file in ["cgroup.subtree_control", "cgroup.procs"].iter().chain(files) {
            std::fs::write(dir.join(file), "").unwrap();
        }
    }
}

#[test]
fn version_2_gets_its_limits_and_gives_its_counters() {
    let root = tempfile::tempdir().unwrap();
    fake(root.path(), "a", &["cpu.max", "memory.max", "memory.swap.max", "cgroup.kill"]);
    let cgroups = Cgroups::with_layout(Layout::V2 { root: root.path().to_owned() }, "t");
    let task = cgroups.task("a").unwrap();
    task.create(&TaskLimits { cpu_units: 256, memory_bytes: 512 << 20 }).unwrap();
    let dir = root.path().join("longshore-t/a");
    let holds = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
    assert_eq!(holds("cpu.max"), "25000 100000");
    assert_eq!(holds("memory.max"), "536870912");
    assert_eq!(holds("memory.swap.max"), "0");
    for level in ["", "longshore-t", "longshore-t/a"] {
        let control = root.path().join(level).join("cgroup.subtree_control");
        assert_eq!(std::fs::read_to_string(control).unwrap(), "+cpu +memory +pids");
    }
    task.kill().unwrap();
    assert_eq!(holds("cgroup.kill"), "1");

    let web = dir.join("web");
    std::fs::create_dir(&web).unwrap();
    assert_eq!(task.container_path("web"), "/longshore-t/a/web");
    assert_eq!(task.oom_kills("web").unwrap(), 0);
    assert_eq!(task.container_usage("web").unwrap(), None);
    for (file, text) in [
        ("memory.current", "4096\n"),
        ("memory.stat", "anon 96\ninactive_file 1000\n"),
        ("cpu.stat", "usage_usec 1500\nuser_usec 500\n"),
        ("pids.current", "3\n"),
        ("memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 0\n"),
    ] {
        std::fs::write(web.join(file), text).unwrap();
    }
    let usage = Usage { cpu_ns: 1_500_000, memory_bytes: 3096, pids: 3, oom_kills: 1 };
    assert_eq!(task.container_usage("web").unwrap(), Some(usage));
    std::fs::write(web.join("memory.current"), "many").unwrap();
    assert!(matches!(task.container_usage("web"), Err(CgroupError::Unreadable { .. })));
}

#[test]
fn version_1_counts_in_its_own_files() {
    let root = tempfile::tempdir().unwrap();
    let controllers = ["cpu", "memory", "pids"].map(|name| (name.to_owned(), root.path().join(name)));
    let layout = Layout::V1 { controllers: controllers.into() };
    let cgroups = Cgroups::with_layout(layout, "t");
    let dir = root.path().join("memory/longshore-t/a/web");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n").unwrap();
    std::fs::write(dir.join("memory.usage_in_bytes"), "100").unwrap();
    std::fs::write(dir.join("memory.stat"), "inactive_file 1\ntotal_inactive_file 30\n").unwrap();
    let task = cgroups.task("a").unwrap();
    assert_eq!(task.oom_kills("web").unwrap(), 7);
    assert_eq!(task.container_usage("web").unwrap().map(|usage| usage.memory_bytes), Some(70));
    assert!(!cgroups.limits_swap());
}

#[test]
fn names_stay_below_their_root() {
    let cgroups = Cgroups::with_layout(Layout::V2 { root: "/nowhere".into() }, "t");
    for name in ["", ".", "..", "a/b", "../x"] {
        assert!(matches!(cgroups.task(name), Err(CgroupError::InvalidName { .. })), "{name}");
    }
}
