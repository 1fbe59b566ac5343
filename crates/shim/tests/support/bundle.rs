//! OCI bundles with a busybox root.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::Place;

static COUNT: AtomicU32 = AtomicU32::new(0);
const APPLETS: [&str; 14] =
    ["sh", "echo", "sleep", "cat", "true", "false", "head", "grep", "id", "kill", "dd", "seq", "mknod", "rm"];

/// A bundle on disk. What is left of its cgroup goes with it.
pub struct Bundle {
    pub id: String,
    pub path: PathBuf,
    pub cgroup: String,
}

/// An OCI `process` that runs `args`.
pub fn process(args: &[&str]) -> Value {
    let caps = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"];
    json!({
        "terminal": false, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
        "env": ["PATH=/bin", "GREETING=hello"],
        "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
        "noNewPrivileges": true,
    })
}

impl Bundle {
    /// A bundle that runs `args`.
    pub fn new(place: &Place, args: &[&str]) -> Self {
        Self::with(place, args, |_| {})
    }

    /// The same, with changes to its configuration.
    pub fn with(place: &Place, args: &[&str], change: impl FnOnce(&mut Value)) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("t{}-{count}", std::process::id());
        let path = place.dir.path().join(&id);
        busybox_root(&path.join("rootfs"));
        let cgroup = format!("/lsshimtest-{id}");
        let mut config = json!({
            "ociVersion": "1.0.2",
            "process": process(args),
            "root": {"path": "rootfs", "readonly": false},
            "hostname": "box",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            ],
            "linux": {
                "cgroupsPath": cgroup,
                "resources": {"memory": {"limit": 67_108_864}, "pids": {"limit": 100}},
                "namespaces": [
                    {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"},
                ],
            },
        });
        change(&mut config);
        std::fs::write(path.join("config.json"), serde_json::to_vec(&config).unwrap()).unwrap();
        Self { id, path, cgroup }
    }

    pub fn stdout(&self) -> String {
        self.path.join("stdout").to_str().unwrap().to_owned()
    }

    pub fn stderr(&self) -> String {
        self.path.join("stderr").to_str().unwrap().to_owned()
    }

    /// What it has written to its standard output file.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.stdout()).unwrap_or_default()
    }

    /// The exit record, as JSON.
    pub fn exit_record(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path.join("exit.json")).unwrap()).unwrap()
    }

    /// Makes a FIFO in the bundle.
    pub fn fifo(&self, name: &str) -> String {
        let path = self.path.join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The directories of its cgroup that exist.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        let name = self.cgroup.trim_start_matches('/');
        let roots =
            std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let all = roots.chain([PathBuf::from("/sys/fs/cgroup")]).map(|root| root.join(name));
        all.filter(|dir| dir.is_dir()).collect()
    }

    /// Nothing is left outside the bundle itself.
    pub fn assert_gone(&self, place: &Place) {
        assert_eq!(self.cgroups(), Vec::<PathBuf>::new());
        assert!(!place.state().join(super::NAMESPACE).join(&self.id).exists());
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(self.path.to_str().unwrap()), "{mounts}");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for dir in self.cgroups() {
            for pid in std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default().lines() {
                if let Ok(pid) = pid.parse() {
                    let _ =
                        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
                }
            }
            for _ in 0..100 {
                if std::fs::remove_dir(&dir).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

fn busybox_root(root: &Path) {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for dir in ["proc", "dev", "tmp"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    if let Err(error) = std::fs::copy("/bin/busybox", bin.join("busybox")) {
        panic!("/bin/busybox: {error}; install it: apt-get install busybox-static");
    }
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
    }
}
