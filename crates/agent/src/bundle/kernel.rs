//! Kernel parameters and memory file systems that a task asks for: `systemControls`,
//! `linuxParameters.tmpfs` and `sharedMemorySize`.

use std::collections::HashMap;

use oci_spec::runtime::Mount;

use super::{BundleError, ContainerPlan, mounts};
use crate::volumes::destination;

/// Namespaced parameters besides `net.*` and `fs.mqueue.*` (ECS API reference, SystemControl). Any
/// other would be the host's.
const SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Options of a tmpfs (ECS API reference, Tmpfs) that are about the tmpfs itself. Those that would
/// bind, move or share a mount are left out.
const FLAGS: [&str; 24] = [
    "defaults",
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "mand",
    "nomand",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "private",
    "rprivate",
];
const VALUES: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

pub(super) fn sysctls(plan: &ContainerPlan) -> Result<HashMap<String, String>, BundleError> {
    let allowed = |name: &str| {
        let part = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        name.chars().all(part)
            && !name.contains("..")
            && (SYSCTLS.contains(&name)
                || name.starts_with("net.") && plan.netns.is_some()
                || name.starts_with("fs.mqueue."))
    };
    match plan.sysctls.keys().find(|name| !allowed(name)) {
        Some(name) => Err(BundleError::ForbiddenSysctl { name: name.clone() }),
        None => Ok(plan.sysctls.clone().into_iter().collect()),
    }
}

/// The file systems of `tmpfs`, with Docker's options first, which a task's own may undo.
pub(super) fn tmpfs(plan: &ContainerPlan) -> Result<Vec<Mount>, BundleError> {
    let mut all = vec![];
    for (path, options) in &plan.tmpfs {
        let clean = match destination(path) {
            Ok(clean) if !path.split('/').any(|part| part == "..") => clean,
            _ => return Err(BundleError::TmpfsPath { path: path.clone() }),
        };
        let own: Vec<&str> = options.split(',').filter(|option| !option.is_empty()).collect();
        let known = |option: &&str| match option.split_once('=') {
            Some((name, _)) => VALUES.contains(&name),
            None => FLAGS.contains(option),
        };
        if let Some(option) = own.iter().find(|option| !known(option)) {
            return Err(BundleError::TmpfsOption { path: path.clone(), option: (*option).to_owned() });
        }
        all.push(mounts::mount(
            &clean,
            "tmpfs",
            "tmpfs",
            &[&["nosuid", "noexec", "nodev"], &own[..]].concat(),
        ));
    }
    Ok(all)
}
