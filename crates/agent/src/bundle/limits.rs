//! Resource limits: of the process (ulimits) and of its cgroup.

use oci_spec::runtime::{
    LinuxCpuBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType, LinuxMemoryBuilder,
    LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, PosixRlimit, PosixRlimitBuilder,
    PosixRlimitType,
};

use super::{BundleError, ContainerPlan};

/// A `ulimit` of a container definition; -1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// ECS's name: `nofile`, `core`, …
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

/// Fargate's own, which it sets where the task does not (ECS API reference, `Ulimit`).
const NOFILE: u64 = 65_535;

/// A container that forks without end must not take the host with it. Nothing published says what
/// Fargate allows; this is twice Podman's default.
const PIDS: i64 = 4096;

/// Docker's floor is 6 MiB, ECS's agent raises anything below 4 MiB to that.
const MEMORY_FLOOR: u64 = 4 << 20;

pub(super) fn rlimits(plan: &ContainerPlan) -> Result<Vec<PosixRlimit>, BundleError> {
    let mut limits: Vec<PosixRlimit> = Vec::new();
    for limit in &plan.ulimits {
        let kind = kind(&limit.name)?;
        if limits.iter().any(|other| other.typ() == kind) {
            return Err(BundleError::UlimitTwice { name: limit.name.clone() });
        }
        let (soft, hard) = (unlimited(limit.soft), unlimited(limit.hard));
        if soft > hard {
            return Err(BundleError::UlimitOrder {
                name: limit.name.clone(),
                soft: limit.soft,
                hard: limit.hard,
            });
        }
        limits.push(rlimit(kind, soft, hard));
    }
    if !limits.iter().any(|limit| limit.typ() == PosixRlimitType::RlimitNofile) {
        limits.push(rlimit(PosixRlimitType::RlimitNofile, NOFILE, NOFILE));
    }
    Ok(limits)
}

fn rlimit(kind: PosixRlimitType, soft: u64, hard: u64) -> PosixRlimit {
    PosixRlimitBuilder::default().typ(kind).soft(soft).hard(hard).build().expect("every field is set")
}

fn unlimited(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn kind(name: &str) -> Result<PosixRlimitType, BundleError> {
    Ok(match name {
        "core" => PosixRlimitType::RlimitCore,
        "cpu" => PosixRlimitType::RlimitCpu,
        "data" => PosixRlimitType::RlimitData,
        "fsize" => PosixRlimitType::RlimitFsize,
        "locks" => PosixRlimitType::RlimitLocks,
        "memlock" => PosixRlimitType::RlimitMemlock,
        "msgqueue" => PosixRlimitType::RlimitMsgqueue,
        "nice" => PosixRlimitType::RlimitNice,
        "nofile" => PosixRlimitType::RlimitNofile,
        "nproc" => PosixRlimitType::RlimitNproc,
        "rss" => PosixRlimitType::RlimitRss,
        "rtprio" => PosixRlimitType::RlimitRtprio,
        "rttime" => PosixRlimitType::RlimitRttime,
        "sigpending" => PosixRlimitType::RlimitSigpending,
        "stack" => PosixRlimitType::RlimitStack,
        _ => return Err(BundleError::UnknownUlimit { name: name.to_owned() }),
    })
}

/// The container's own cgroup, below the task's.
pub(super) fn resources(plan: &ContainerPlan) -> LinuxResources {
    // ECS gives at least the kernel's minimum of 2 and at most 256 vCPU (API reference,
    // ContainerDefinition, `cpu`).
    let cpu = LinuxCpuBuilder::default().shares(plan.cpu.clamp(2, 262_144)).build();
    let mut memory = LinuxMemoryBuilder::default();
    if plan.memory > 0 {
        let limit = signed(plan.memory.max(MEMORY_FLOOR));
        memory = memory.limit(limit);
        if plan.limit_swap {
            // Memory and swap together, so equal means no swap: Fargate has none.
            memory = memory.swap(limit);
        }
    }
    if plan.memory_reservation > 0 {
        memory = memory.reservation(signed(plan.memory_reservation));
    }
    LinuxResourcesBuilder::default()
        .cpu(cpu.expect("every field has a default"))
        .memory(memory.build().expect("every field has a default"))
        .pids(LinuxPidsBuilder::default().limit(PIDS).build().expect("the limit is set"))
        .devices(devices().into_iter().chain(plan.edits.rules()).collect::<Vec<_>>())
        .build()
        .expect("every field has a default")
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Every device may be made (mknod is only a name), and only these may be opened: null, zero,
/// full, random, urandom, tty, ptmx and the pseudo-terminals (OCI runtime specification, "Default
/// Devices"; numbers from the kernel's devices.txt), and those that the container was given.
fn devices() -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major: Option<i64>, minor: Option<i64>, access: &str| {
        let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
        if let Some(major) = major {
            rule = rule.major(major);
        }
        if let Some(minor) = minor {
            rule = rule.minor(minor);
        }
        rule.build().expect("the required field is set")
    };
    let mut rules = vec![
        rule(false, LinuxDeviceType::A, None, None, "rwm"),
        rule(true, LinuxDeviceType::C, None, None, "m"),
        rule(true, LinuxDeviceType::B, None, None, "m"),
    ];
    for (major, minor) in [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)] {
        rules.push(rule(true, LinuxDeviceType::C, Some(major), Some(minor), "rwm"));
    }
    rules.push(rule(true, LinuxDeviceType::C, Some(136), None, "rwm"));
    rules
}
