//! Takes the kernel's wait before a move into a cgroup off the launch path.

use std::path::{Path, PathBuf};

/// Makes the moves into cgroups that will come soon cheap. Blocks for up to a few 10 ms; changes nothing.
///
/// A write to `cgroup.procs` takes the kernel's `cgroup_threadgroup_rwsem` for writing. The first one
/// after a pause waits for an RCU grace period, with next to no cpu; those that come meanwhile wait
/// for the same one, those that follow soon for none (`rcu_sync_enter` in kernel/rcu/sync.c). To move
/// ourselves to where we are begins that wait now, while a launch does what comes before.
pub fn quicken() {
    // Read anew each time: we may have been moved, and must not move ourselves back.
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if let Some(procs) = text.lines().find_map(|line| procs_of(line, Path::new("/sys/fs/cgroup")))
        && let Err(error) = std::fs::write(&procs, "0")
    {
        // It has waited all the same: the lock comes before the checks.
        tracing::trace!(%error, path = %procs.display(), "not moved to where we are");
    }
}

/// The `cgroup.procs` that a line of `/proc/self/cgroup` names: v2's, or that of v1's freezer, to
/// which belonging costs nothing.
fn procs_of(line: &str, root: &Path) -> Option<PathBuf> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    if !matches!(controllers, "" | "freezer") || path.contains("..") {
        return None;
    }
    let procs = root.join(controllers).join(path.trim_start_matches('/')).join("cgroup.procs");
    procs.exists().then_some(procs)
}

#[cfg(test)]
mod tests {
    use super::procs_of;

    #[test]
    fn only_hierarchies_that_are_mounted_and_cost_nothing_are_taken() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("freezer/a");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("cgroup.procs"), "").unwrap();
        let found = |line| procs_of(line, root.path());
        assert_eq!(found("7:freezer:/a"), Some(dir.join("cgroup.procs")));
        for line in ["7:freezer:/b", "3:memory:/a", "0::/a", "7:freezer:/../a", "", "7:freezer"] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
