//! `/dev`: the devices that every container has (OCI runtime specification, "Default Devices"), those of its
//! specification, and the usual links.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknodat};
use nix::unistd::symlinkat;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Mount, Spec};

use super::target::{self, Kind};

const DEFAULT: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Makes all of them, unless `/dev` is somebody else's.
pub fn make(root: BorrowedFd<'_>, spec: &Spec) -> Result<(), String> {
    let given = spec.linux().as_ref().and_then(|linux| linux.devices().as_ref());
    let dev = Path::new("/dev");
    if !spec.mounts().iter().flatten().any(|mount| mount.destination() == dev && is_bound(mount)) {
        let directory = target::make(root, dev, Kind::Directory).map_err(named(dev))?;
        for (name, major, minor) in DEFAULT {
            node(&directory, Path::new(name), SFlag::S_IFCHR, makedev(major, minor), 0o666, None)
                .map_err(named(Path::new(name)))?;
        }
        for (to, name) in LINKS {
            match symlinkat(to, &directory, name) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(named(Path::new(name))(errno)),
            }
        }
    }
    given
        .iter()
        .flat_map(|devices| devices.iter())
        .try_for_each(|device| one(root, device).map_err(named(device.path())))
}

fn is_bound(mount: &Mount) -> bool {
    let options = mount.options().as_deref().unwrap_or_default();
    mount.typ().as_deref() == Some("bind")
        || options.iter().any(|option| option == "bind" || option == "rbind")
}

fn one(root: BorrowedFd<'_>, device: &LinuxDevice) -> Result<(), Errno> {
    let path = PathBuf::from("/").join(device.path());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EINVAL) };
    let directory = target::make(root, parent, Kind::Directory)?;
    let kind = match device.typ() {
        LinuxDeviceType::B => SFlag::S_IFBLK,
        LinuxDeviceType::C | LinuxDeviceType::U => SFlag::S_IFCHR,
        LinuxDeviceType::P => SFlag::S_IFIFO,
        LinuxDeviceType::A => return Err(Errno::EINVAL),
    };
    let number = makedev(device.major() as u64, device.minor() as u64);
    let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
    node(&directory, Path::new(name), kind, number, device.file_mode().unwrap_or(0o666), Some(owner))
}

fn named(what: &Path) -> impl Fn(Errno) -> String {
    move |errno| format!("device {what:?}: {errno}")
}

/// Makes a node, or takes the one that is there for it if it is the same device.
fn node<Fd: AsFd>(
    directory: &Fd,
    name: &Path,
    kind: SFlag,
    number: u64,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> Result<(), Errno> {
    match mknodat(directory, name, kind, Mode::from_bits_truncate(mode & 0o7777), number) {
        Ok(()) => {}
        Err(Errno::EEXIST) => {
            let there = nix::sys::stat::fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
            let same =
                SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT == kind && there.st_rdev == number;
            return if same { Ok(()) } else { Err(Errno::EEXIST) };
        }
        Err(errno) => return Err(errno),
    }
    match owner {
        None | Some((0, 0)) => Ok(()),
        Some((uid, gid)) => nix::unistd::fchownat(
            directory,
            name,
            Some(uid.into()),
            Some(gid.into()),
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        ),
    }
}
