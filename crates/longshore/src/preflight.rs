//! What an agent needs of the machine, checked before anything is made: a failure deep in a mount says
//! less than one line here.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

/// Fails with everything that is missing.
pub fn check() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "containers need root: run it again with sudo (keep the same --data-dir), or run `longshore server` \
             here and `longshore agent` where you are root"
        );
    }
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let missing = missing(&filesystems, &mounts, Path::new("/proc/self/ns/net").exists());
    // The kernel loads a file system's module at its first mount; the list only knows what was used.
    let missing: Vec<&str> =
        missing.into_iter().filter(|what| *what != OVERLAY || !load("overlay")).collect();
    if !missing.is_empty() {
        bail!("this machine's kernel lacks what containers need: {}", missing.join("; "));
    }
    Ok(())
}

const OVERLAY: &str = "the overlay file system (CONFIG_OVERLAY_FS; `modprobe overlay`)";

/// `filesystems` and `mounts` are the files of /proc with these names.
fn missing(filesystems: &str, mounts: &str, has_network_namespaces: bool) -> Vec<&'static str> {
    let kind = |line: &str, kind: &str| line.split_whitespace().nth(2) == Some(kind);
    let mut missing = vec![];
    if !filesystems.lines().any(|line| line.ends_with("\toverlay")) {
        missing.push(OVERLAY);
    }
    if !mounts.lines().any(|line| kind(line, "cgroup") || kind(line, "cgroup2")) {
        missing.push(
            "a mounted cgroup file system under /sys/fs/cgroup (a container needs --privileged for it)",
        );
    }
    if !has_network_namespaces {
        missing.push("network namespaces (CONFIG_NET_NS)");
    }
    missing
}

fn load(module: &str) -> bool {
    std::process::Command::new("modprobe").arg("-q").arg(module).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let mounts = "cgroup /sys/fs/cgroup/memory cgroup rw 0 0\n";
        assert!(missing("nodev\tsysfs\nnodev\toverlay\n", mounts, true).is_empty());
        assert!(missing("nodev\toverlay\n", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", true).is_empty());
        assert_eq!(missing("nodev\tsysfs\n", "proc /proc proc rw 0 0\n", false).len(), 3);
    }
}
