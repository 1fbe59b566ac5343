//! Mounts that Create names for the container's root, as containerd's snapshotters describe them.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Longest option string that mount(2) takes, in bytes: one page, less its closing NUL.
const OPTIONS_MAX: usize = 4095;

/// One mount onto the bundle's root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub kind: String,
    pub source: String,
    /// Below the root directory; empty for the root itself.
    pub target: String,
    pub options: Vec<String>,
}

/// A root can't be mounted.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    #[error("mount {kind} {source_name:?} on {target}")]
    Mount {
        kind: String,
        source_name: String,
        target: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("mount target {0:?} leads out of the container's root")]
    Target(String),
}

/// Mounts all, or nothing.
pub fn mount_all(mounts: &[Mount], rootfs: &Path) -> Result<(), RootfsError> {
    for (done, one) in mounts.iter().enumerate() {
        let result = mount_one(one, rootfs);
        if result.is_err() {
            for _ in 0..done {
                unmount(rootfs);
            }
            return result;
        }
    }
    Ok(())
}

/// Takes one mount off `rootfs`; whether there was one. Detached at once, released with its last user.
pub fn unmount(rootfs: &Path) -> bool {
    umount2(rootfs, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).is_ok()
}

fn mount_one(one: &Mount, rootfs: &Path) -> Result<(), RootfsError> {
    let below = Path::new(one.target.trim_start_matches('/'));
    if below.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(RootfsError::Target(one.target.clone()));
    }
    let target = rootfs.join(below);
    let failed = |source: io::Error| RootfsError::Mount {
        kind: one.kind.clone(),
        source_name: one.source.clone(),
        target: target.clone(),
        source,
    };
    std::fs::create_dir_all(&target).map_err(failed)?;
    let (flags, data) = split(&one.options);
    if data.join(",").len() > OPTIONS_MAX && one.kind == "overlay" {
        return long_overlay(&data, flags, &target).map_err(failed);
    }
    let data = data.join(",");
    let none: Option<&str> = None;
    let result = if flags.contains(MsFlags::MS_BIND) || one.kind == "bind" {
        let bind = MsFlags::MS_BIND | (flags & MsFlags::MS_REC);
        mount(Some(one.source.as_str()), &target, none, bind, none).and_then(|()| {
            let rest = flags & !(MsFlags::MS_REC | MsFlags::MS_BIND);
            if rest.is_empty() {
                return Ok(());
            }
            // A bind mount's flags count only when it is mounted again (mount(2), "Creating a bind mount").
            mount(none, &target, none, rest | MsFlags::MS_BIND | MsFlags::MS_REMOUNT, none).inspect_err(
                |_| {
                    unmount(&target);
                },
            )
        })
    } else {
        mount(Some(one.source.as_str()), &target, Some(one.kind.as_str()), flags, Some(data.as_str()))
    };
    result.map_err(|errno| failed(errno.into()))
}

/// Parts options that are flags of mount(2) from those that the file system reads.
fn split(options: &[String]) -> (MsFlags, Vec<&str>) {
    let (mut flags, mut data) = (MsFlags::empty(), Vec::new());
    for option in options {
        match option.as_str() {
            "rw" | "defaults" | "" => {}
            "ro" => flags |= MsFlags::MS_RDONLY,
            "bind" => flags |= MsFlags::MS_BIND,
            "rbind" => flags |= MsFlags::MS_BIND | MsFlags::MS_REC,
            "nosuid" => flags |= MsFlags::MS_NOSUID,
            "nodev" => flags |= MsFlags::MS_NODEV,
            "noexec" => flags |= MsFlags::MS_NOEXEC,
            "noatime" => flags |= MsFlags::MS_NOATIME,
            "relatime" => flags |= MsFlags::MS_RELATIME,
            "sync" => flags |= MsFlags::MS_SYNCHRONOUS,
            other => data.push(other),
        }
    }
    (flags, data)
}

/// An overlay whose layers don't fit into mount(2)'s one page: one layer a call, by the new mount API.
fn long_overlay(data: &[&str], flags: MsFlags, target: &Path) -> io::Result<()> {
    let context = descriptor(unsafe {
        // SAFETY: a NUL-terminated literal and a flag.
        libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), libc::FSOPEN_CLOEXEC)
    })?;
    for option in data {
        match option.split_once('=') {
            Some(("lowerdir", layers)) => {
                for layer in layers.split(':') {
                    set(&context, libc::FSCONFIG_SET_STRING, Some(("lowerdir+", layer)))?;
                }
            }
            Some(pair) => set(&context, libc::FSCONFIG_SET_STRING, Some(pair))?,
            None => set(&context, libc::FSCONFIG_SET_FLAG, Some((option, "")))?,
        }
    }
    set(&context, libc::FSCONFIG_CMD_CREATE, None)?;
    let mut attributes = 0;
    for (flag, attribute) in [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if flags.contains(flag) {
            attributes |= attribute;
        }
    }
    let made = descriptor(unsafe {
        // SAFETY: a descriptor that we own, and flags.
        libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes)
    })?;
    let path = c_string(&target.to_string_lossy())?;
    let moved = unsafe {
        // SAFETY: two NUL-terminated strings that live through the call.
        libc::syscall(
            libc::SYS_move_mount,
            made.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    if moved == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set(context: &OwnedFd, command: libc::c_uint, pair: Option<(&str, &str)>) -> io::Result<()> {
    let (key, value) = match pair {
        Some((key, value)) => (Some(c_string(key)?), Some(c_string(value)?)),
        None => (None, None),
    };
    let is_string = command == libc::FSCONFIG_SET_STRING;
    let result = unsafe {
        // SAFETY: the strings live through the call; null where the command takes none.
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            command,
            key.as_ref().map_or(std::ptr::null(), |key| key.as_ptr()),
            value.as_ref().filter(|_| is_string).map_or(std::ptr::null(), |value| value.as_ptr()),
            0,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_parted_from_data() {
        let options = ["index=off", "ro", "lowerdir=/a:/b", "rbind"].map(String::from);
        let (flags, data) = split(&options);
        assert_eq!(flags, MsFlags::MS_RDONLY | MsFlags::MS_BIND | MsFlags::MS_REC);
        assert_eq!(data, ["index=off", "lowerdir=/a:/b"]);
    }

    #[test]
    fn a_target_stays_below_the_root() {
        let mount =
            Mount { kind: "tmpfs".into(), source: "none".into(), target: "/../x".into(), options: vec![] };
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(mount_all(&[mount], dir.path()), Err(RootfsError::Target(_))));
    }

    /// A hundred layers don't fit into one page. Needs root.
    #[test]
    fn an_overlay_of_many_layers_is_mounted() {
        let dir = tempfile::Builder::new().prefix(&"long-name-".repeat(8)).tempdir().unwrap();
        // Overlay on overlay has limits of its own: the layers lie on a tmpfs.
        let tmpfs = Mount { kind: "tmpfs".into(), source: "t".into(), target: "".into(), options: vec![] };
        mount_all(&[tmpfs], dir.path()).unwrap();
        let layers: Vec<String> = (0..100)
            .map(|i| {
                let layer = dir.path().join(format!("layer{i}"));
                std::fs::create_dir(&layer).unwrap();
                std::fs::write(layer.join(format!("file{i}")), "x").unwrap();
                layer.to_str().unwrap().to_owned()
            })
            .collect();
        let sub = |name: &str| {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            dir.path().join(name).to_str().unwrap().to_owned()
        };
        let options = vec![
            format!("lowerdir={}", layers.join(":")),
            format!("upperdir={}", sub("upper")),
            format!("workdir={}", sub("work")),
        ];
        let root = dir.path().join("root");
        let overlay = Mount { kind: "overlay".into(), source: "overlay".into(), target: "".into(), options };
        let result = mount_all(&[overlay], &root);
        let seen = std::fs::read_dir(&root).map(|entries| entries.count()).unwrap_or(0);
        unmount(&root);
        assert!(unmount(dir.path()));
        result.unwrap();
        assert_eq!(seen, 100);
    }
}
