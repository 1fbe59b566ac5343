//! One task's cgroup: its size, its end.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{CgroupError, Cgroups, Layout, Usage, files, until, usage};

/// The scheduler's period, in microseconds, that quotas are a part of: the kernel's default.
const PERIOD_US: u64 = 100_000;
/// The kernel refuses a quota below one millisecond (kernel documentation, sched-bwc).
const LEAST_QUOTA_US: u64 = 1_000;

/// A task's size; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskLimits {
    /// In ECS's units, 1,024 to a vCPU: a ceiling for the task's containers together.
    pub cpu_units: u64,
    pub memory_bytes: u64,
}

/// The cgroup of a task, whether it exists or not.
#[derive(Debug, Clone)]
pub struct TaskCgroup<'a> {
    cgroups: &'a Cgroups,
    id: String,
}

impl<'a> TaskCgroup<'a> {
    pub(super) fn new(cgroups: &'a Cgroups, id: &str) -> Self {
        Self { cgroups, id: id.to_owned() }
    }

    /// What the plan's `cgroups_path` is to be for one of the task's containers.
    pub fn container_path(&self, container: &str) -> String {
        format!("/{}/{}/{container}", self.cgroups.name, self.id)
    }

    /// Makes the cgroup with these limits; one that is there gets them anew.
    pub fn create(&self, limits: &TaskLimits) -> Result<(), CgroupError> {
        let quota = (limits.cpu_units * PERIOD_US / 1024).max(LEAST_QUOTA_US);
        match &self.cgroups.layout {
            Layout::V1 { .. } => {
                let cpu = self.made("cpu")?;
                if limits.cpu_units > 0 {
                    files::write(&cpu.join("cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                    files::write(&cpu.join("cpu.cfs_quota_us"), &quota.to_string())?;
                }
                let memory = self.made("memory")?;
                if limits.memory_bytes > 0 {
                    self.limit_memory_v1(&memory, limits.memory_bytes)?;
                }
                self.made("pids")?;
                // Only counted, so its absence hurts nobody's limits.
                self.made("cpuacct").map(drop).or_else(ignore_absent)
            }
            Layout::V2 { root } => {
                let own = root.join(&self.cgroups.name);
                let dir = own.join(&self.id);
                files::make(&dir)?;
                // From the top: a cgroup can only hand on what it was handed.
                for level in [root, &own, &dir] {
                    files::write(&level.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
                }
                if limits.cpu_units > 0 {
                    files::write(&dir.join("cpu.max"), &format!("{quota} {PERIOD_US}"))?;
                }
                if limits.memory_bytes > 0 {
                    files::write(&dir.join("memory.max"), &limits.memory_bytes.to_string())?;
                    // Absent on a kernel without swap: then there is nothing to withhold.
                    let swap = dir.join("memory.swap.max");
                    if swap.exists() {
                        files::write(&swap, "0")?;
                    }
                }
                Ok(())
            }
        }
    }

    fn limit_memory_v1(&self, memory: &std::path::Path, bytes: u64) -> Result<(), CgroupError> {
        let limit = memory.join("memory.limit_in_bytes");
        let both = memory.join("memory.memsw.limit_in_bytes");
        let bytes = bytes.to_string();
        if !both.exists() {
            return files::write(&limit, &bytes);
        }
        // Memory's limit may never be above that of memory and swap together, so the order of the
        // two depends on whether the limit grows or shrinks: try one, then the other.
        if files::write(&limit, &bytes).is_ok() {
            return files::write(&both, &bytes);
        }
        files::write(&both, &bytes)?;
        files::write(&limit, &bytes)
    }

    /// The cgroup in one controller's tree, made if need be.
    fn made(&self, controller: &'static str) -> Result<PathBuf, CgroupError> {
        let dir = self.dir(controller)?;
        files::make(&dir)?;
        Ok(dir)
    }

    pub(super) fn dir(&self, controller: &'static str) -> Result<PathBuf, CgroupError> {
        match &self.cgroups.layout {
            Layout::V1 { controllers } => {
                let root = controllers.get(controller).ok_or(CgroupError::NoController { controller })?;
                Ok(self.cgroups.dir(root, &self.id))
            }
            Layout::V2 { root } => Ok(self.cgroups.dir(root, &self.id)),
        }
    }

    /// The runtime's cgroup of a container, in one controller's tree.
    fn container_dir(&self, controller: &'static str, container: &str) -> Result<PathBuf, CgroupError> {
        Ok(self.dir(controller)?.join(container))
    }

    /// The processes of the whole task, by their ids on the host.
    pub fn processes(&self) -> Result<Vec<u32>, CgroupError> {
        let mut found = Vec::new();
        let mut pending = vec![self.dir("memory")?];
        while let Some(dir) = pending.pop() {
            let list = files::read(&dir.join("cgroup.procs"))?.unwrap_or_default();
            found.extend(list.lines().filter_map(|line| line.parse::<u32>().ok()));
            pending.extend(files::children(&dir)?.into_iter().map(|child| dir.join(child)));
        }
        Ok(found)
    }

    /// Sends SIGKILL to every process of the task, also to those that are being forked.
    pub fn kill(&self) -> Result<(), CgroupError> {
        if let Layout::V2 { .. } = self.cgroups.layout {
            // Since Linux 5.14; it is atomic.
            let switch = self.dir("memory")?.join("cgroup.kill");
            if switch.exists() {
                return files::write(&switch, "1");
            }
        }
        // A process that forks meanwhile shows up in the next round.
        for _ in 0..64 {
            let processes = self.processes()?;
            if processes.is_empty() {
                return Ok(());
            }
            for pid in processes {
                // Gone already is what was wanted; we are root, so nothing else can fail.
                let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Removes the cgroup and the containers' below it. Not there is no error; processes in it are.
    pub fn remove(&self) -> Result<(), CgroupError> {
        self.remove_within(Duration::ZERO)
    }

    pub(super) fn remove_within(&self, patience: Duration) -> Result<(), CgroupError> {
        for root in self.cgroups.layout.roots() {
            let dir = self.cgroups.dir(root, &self.id);
            let outcome = until(patience, || match files::remove(&dir) {
                Ok(false) => None,
                done => Some(done.map(drop)),
            });
            outcome.unwrap_or(Err(CgroupError::Busy { path: dir }))?;
        }
        Ok(())
    }

    /// How many processes of a container the kernel has killed for want of memory; 0 if the
    /// container has no cgroup. Ask before the runtime deletes it.
    pub fn oom_kills(&self, container: &str) -> Result<u64, CgroupError> {
        let dir = self.container_dir("memory", container)?;
        usage::oom_kills(self.cgroups.version(), &dir)
    }

    /// What a container uses; `None` if it has no cgroup.
    pub fn container_usage(&self, container: &str) -> Result<Option<Usage>, CgroupError> {
        self.usage_below(|dir| dir.join(container))
    }

    /// What the whole task uses; `None` if it has no cgroup.
    pub fn usage(&self) -> Result<Option<Usage>, CgroupError> {
        self.usage_below(|dir| dir)
    }

    fn usage_below(&self, place: impl Fn(PathBuf) -> PathBuf) -> Result<Option<Usage>, CgroupError> {
        let memory = place(self.dir("memory")?);
        let cpu = self.dir("cpuacct").or_else(|_| self.dir("cpu")).map(&place)?;
        let pids = place(self.dir("pids")?);
        usage::read(self.cgroups.version(), &cpu, &memory, &pids)
    }
}

fn ignore_absent(error: CgroupError) -> Result<(), CgroupError> {
    match error {
        CgroupError::NoController { .. } => Ok(()),
        other => Err(other),
    }
}
