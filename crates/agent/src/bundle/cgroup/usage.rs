//! What a cgroup has used: for telemetry, and to tell a kill for want of memory from any other.

use std::path::Path;

use super::{CgroupError, Version, files};

/// Counters of one cgroup, everything below it included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time consumed since the cgroup was made, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in use without the part of the page cache that can go at any time: what `docker
    /// stats` shows.
    pub memory_bytes: u64,
    /// Tasks in the kernel's sense: processes and threads.
    pub pids: u64,
    /// Kills for want of memory.
    pub oom_kills: u64,
}

pub(super) fn read(
    version: Version,
    cpu: &Path,
    memory: &Path,
    pids: &Path,
) -> Result<Option<Usage>, CgroupError> {
    let (in_use, cache, cpu_ns) = match version {
        Version::V1 => (
            files::number(&memory.join("memory.usage_in_bytes"))?,
            files::keyed(&memory.join("memory.stat"), "total_inactive_file")?,
            files::number(&cpu.join("cpuacct.usage"))?,
        ),
        Version::V2 => (
            files::number(&memory.join("memory.current"))?,
            files::keyed(&memory.join("memory.stat"), "inactive_file")?,
            files::keyed(&cpu.join("cpu.stat"), "usage_usec")?.map(|microseconds| microseconds * 1000),
        ),
    };
    let Some(in_use) = in_use else { return Ok(None) };
    Ok(Some(Usage {
        cpu_ns: cpu_ns.unwrap_or_default(),
        memory_bytes: in_use.saturating_sub(cache.unwrap_or_default()),
        pids: files::number(&pids.join("pids.current"))?.unwrap_or_default(),
        oom_kills: oom_kills(version, memory)?,
    }))
}

pub(super) fn oom_kills(version: Version, memory: &Path) -> Result<u64, CgroupError> {
    let file = match version {
        Version::V1 => "memory.oom_control",
        Version::V2 => "memory.events",
    };
    Ok(files::keyed(&memory.join(file), "oom_kill")?.unwrap_or_default())
}
