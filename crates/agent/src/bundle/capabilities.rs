//! What root may do inside a container.

use std::collections::HashSet;
use std::str::FromStr;

use oci_spec::runtime::{Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};

use super::{BundleError, ContainerPlan, Profile};

/// The capabilities of `docker run` without options (Docker's documentation, "Runtime privilege
/// and Linux capabilities"). ECS gives the same.
const DEFAULT: [Capability; 14] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Mknod,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

/// The set that is left after the task's own additions and removals.
pub(super) fn granted(plan: &ContainerPlan) -> Result<HashSet<Capability>, BundleError> {
    let mut granted: HashSet<Capability> = DEFAULT.into_iter().collect();
    let all_dropped = plan.cap_drop.iter().any(|name| is_all(name));
    if all_dropped {
        granted.clear();
    }
    for name in plan.cap_drop.iter().filter(|name| !is_all(name)) {
        granted.remove(&parse(name)?);
    }
    for name in &plan.cap_add {
        // ECS API reference, KernelCapabilities: tasks on Fargate can only add SYS_PTRACE.
        let allowed =
            plan.profile == Profile::Instance || (!is_all(name) && parse(name)? == Capability::SysPtrace);
        if !allowed {
            return Err(BundleError::ForbiddenCapability { name: name.clone() });
        }
        if is_all(name) {
            granted.extend(ALL.iter().filter_map(|name| Capability::from_str(name).ok()));
        } else {
            granted.insert(parse(name)?);
        }
    }
    Ok(granted)
}

/// A user other than root has the set as its ceiling only, as execve(2) would leave it
/// (capabilities(7), "Transformation of capabilities during execve").
pub(super) fn sets(granted: HashSet<Capability>, uid: u32) -> LinuxCapabilities {
    let held = if uid == 0 { granted.clone() } else { HashSet::new() };
    LinuxCapabilitiesBuilder::default()
        .bounding(granted)
        .effective(held.clone())
        .permitted(held)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
        .expect("every field is set")
}

fn is_all(name: &str) -> bool {
    matches!(name.to_ascii_uppercase().as_str(), "ALL" | "CAP_ALL")
}

/// ECS writes `SYS_PTRACE`; the kernel's own `CAP_SYS_PTRACE` is understood too.
fn parse(name: &str) -> Result<Capability, BundleError> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
    Capability::from_str(short).map_err(|_| BundleError::UnknownCapability { name: name.to_owned() })
}

/// linux/capability.h, in the kernel's order.
#[rustfmt::skip]
const ALL: [&str; 41] = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
];
