//! A container's cgroup: made, limited and removed ([`make`]), asked who is in it, what it used, and whether it ran
//! out of memory.
//!
//! v1 mounts one hierarchy a controller below `/sys/fs/cgroup`, v2 one for all of them there (cgroups(7)).

mod devices;
mod guard;
mod limits;
mod make;

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use make::{CgroupError, Doors};

use nix::sys::signal::{Signal, kill};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::Pid;

const ROOT: &str = "/sys/fs/cgroup";

/// A container's cgroup.
#[derive(Debug, Clone)]
pub struct Cgroup {
    path: PathBuf,
    unified: bool,
    /// v1's, see [`make::hierarchies`].
    hierarchies: Rc<[String]>,
}

impl Cgroup {
    /// The cgroup at `path`, as the bundle gives it: relative to each hierarchy's root, with or without a slash.
    pub fn new(path: &Path) -> Self {
        let path = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let unified = statfs(ROOT).is_ok_and(|stat| stat.filesystem_type() == CGROUP2_SUPER_MAGIC);
        let hierarchies = if unified { Vec::new() } else { make::hierarchies() };
        Self { path, unified, hierarchies: hierarchies.into() }
    }

    /// The path below each hierarchy's root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this host has one unified hierarchy.
    pub fn unified(&self) -> bool {
        self.unified
    }

    /// The directory where `controller` (v1's name of it) is.
    pub fn dir(&self, controller: &str) -> PathBuf {
        let root = Path::new(ROOT);
        if self.unified { root.join(&self.path) } else { root.join(controller).join(&self.path) }
    }

    /// The text of a file, empty if it isn't there.
    pub fn read(&self, controller: &str, file: &str) -> String {
        std::fs::read_to_string(self.dir(controller).join(file)).unwrap_or_default()
    }

    /// A file's one number; 0 if it isn't there, `u64::MAX` for "max".
    pub fn number(&self, controller: &str, file: &str) -> u64 {
        match self.read(controller, file).trim() {
            "max" => u64::MAX,
            text => text.parse().unwrap_or(0),
        }
    }

    /// The value of `key` in a file of `key value` lines; 0 if it isn't there.
    pub fn keyed(&self, controller: &str, file: &str, key: &str) -> u64 {
        value_of(&self.read(controller, file), key)
    }

    /// How many processes the kernel has killed here because a memory limit was reached.
    pub fn oom_kills(&self) -> u64 {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        self.keyed("memory", file, "oom_kill")
    }

    /// Every process here and below.
    pub fn pids(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        collect(&self.dir("devices"), &mut pids);
        pids
    }

    /// Kills every process here, until none is left or `patience` is over.
    pub fn kill_all(&self, patience: Duration) {
        // Without a path this would be the root cgroup: everybody.
        if self.path.as_os_str().is_empty() {
            return;
        }
        let end = Instant::now() + patience;
        loop {
            let pids = self.pids();
            if pids.is_empty() || Instant::now() > end {
                return;
            }
            for pid in pids {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn collect(dir: &Path, pids: &mut Vec<i32>) {
    let text = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), pids);
        }
    }
}

/// The value of `key` in lines of `key value`.
pub fn value_of(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_by_their_whole_key() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(value_of(text, "oom_kill"), 3);
        assert_eq!(value_of(text, "missing"), 0);
    }

    #[test]
    fn a_path_stays_below_the_root() {
        let cgroup = Cgroup { path: PathBuf::new(), unified: false, hierarchies: Rc::new([]) };
        assert!(cgroup.dir("memory").ends_with("memory"));
        let cgroup = Cgroup::new(Path::new("/../a/./b"));
        assert!(cgroup.dir("memory").ends_with("a/b"));
        assert!(!cgroup.dir("memory").to_string_lossy().contains(".."));
    }
}
