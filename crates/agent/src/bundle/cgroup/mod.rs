//! The cgroups of tasks: `/longshore-<prefix>/<task>/<container>`.
//!
//! A task's cgroup carries the limits of its size and is made here; the containers' below it are
//! made by the runtime from [`super::spec()`]. Version 1 (one tree a controller, hybrid too) and
//! version 2 (one tree) are told apart by [`detect()`], a pure function of /proc/self/mountinfo.

mod detect;
mod error;
mod files;
mod quicken;
mod task;
mod usage;

pub use detect::{Layout, Version, detect};
pub use error::CgroupError;
pub use quicken::quicken;
pub use task::{TaskCgroup, TaskLimits};
pub use usage::Usage;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long killed processes may take to leave their cgroups.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// All cgroups of one instance.
#[derive(Debug, Clone)]
pub struct Cgroups {
    layout: Layout,
    /// The instance's own cgroup, relative to each root: `longshore-<prefix>`.
    name: String,
}

impl Cgroups {
    /// The cgroups of the instance `prefix` on this host. Makes nothing yet.
    pub fn open(prefix: &str) -> Result<Self, CgroupError> {
        const MOUNTS: &str = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(MOUNTS).map_err(|source| CgroupError::Io {
            verb: "read",
            path: MOUNTS.into(),
            source,
        })?;
        Ok(Self::with_layout(detect(&mounts).ok_or(CgroupError::NoCgroups)?, prefix))
    }

    pub fn with_layout(layout: Layout, prefix: &str) -> Self {
        Self { layout, name: format!("longshore-{prefix}") }
    }

    pub fn version(&self) -> Version {
        self.layout.version()
    }

    /// Where a container sees cgroups: runtimes name each of version 1's trees after the host's mount of it.
    pub fn mounts(&self) -> Vec<PathBuf> {
        let place = PathBuf::from("/sys/fs/cgroup");
        match &self.layout {
            Layout::V1 { .. } => {
                let roots = self.layout.roots().into_iter();
                roots.filter_map(|root| root.file_name()).map(|name| place.join(name)).collect()
            }
            Layout::V2 { .. } => vec![place],
        }
    }

    /// Whether the kernel can withhold swap: whether the plan's `limit_swap` may be set.
    pub fn limits_swap(&self) -> bool {
        match &self.layout {
            Layout::V1 { controllers } => controllers
                .get("memory")
                .is_some_and(|root| root.join("memory.memsw.limit_in_bytes").exists()),
            // The root has no such file, every other cgroup does: ask one that is always there.
            Layout::V2 { root } => fs::read_dir(root).is_ok_and(|entries| {
                entries.flatten().any(|entry| entry.path().join("memory.swap.max").exists())
            }),
        }
    }

    /// The cgroup of task `id`, which need not exist. `id` is one path component.
    pub fn task(&self, id: &str) -> Result<TaskCgroup<'_>, CgroupError> {
        let fits = !id.is_empty() && !matches!(id, "." | "..") && !id.contains(['/', '\0']);
        if fits {
            Ok(TaskCgroup::new(self, id))
        } else {
            Err(CgroupError::InvalidName { name: id.to_owned() })
        }
    }

    /// The tasks that have a cgroup.
    pub fn tasks(&self) -> Result<Vec<String>, CgroupError> {
        let mut found = BTreeSet::new();
        for root in self.layout.roots() {
            found.extend(files::children(&root.join(&self.name))?);
        }
        Ok(found.into_iter().collect())
    }

    /// Kills every process of every task and removes all cgroups; gives how many tasks had one.
    /// Blocks until the processes are gone, up to five seconds.
    pub fn destroy_all(&self) -> Result<usize, CgroupError> {
        let tasks = self.tasks()?;
        for id in &tasks {
            self.task(id)?.kill()?;
        }
        for id in &tasks {
            self.task(id)?.remove_within(GRACE)?;
        }
        for root in self.layout.roots() {
            files::remove(&root.join(&self.name))?;
        }
        Ok(tasks.len())
    }

    fn dir(&self, root: &std::path::Path, task: &str) -> PathBuf {
        root.join(&self.name).join(task)
    }
}

/// Repeats `attempt` until it gives something or `patience` is over.
fn until<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let give_up = Instant::now() + patience;
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if Instant::now() >= give_up {
            return None;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests;
