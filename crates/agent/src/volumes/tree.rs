//! Directories that somebody else may be changing: every step goes by a descriptor and follows no link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NONBLOCK);

/// Opens a directory of the agent's own.
pub(super) fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    open(path, DIRECTORY, Mode::empty())
}

/// Opens a directory in another one. A link there is an error (ELOOP or ENOTDIR).
pub(super) fn open_child(parent: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(parent, name, DIRECTORY, Mode::empty())
}

/// What is in an open directory, as it is read.
pub(super) fn names(directory: &OwnedFd) -> io::Result<impl Iterator<Item = io::Result<OsString>>> {
    // The link of /proc leads to the directory that we hold, whatever its path means by now.
    let held = format!("/proc/self/fd/{}", directory.as_raw_fd());
    Ok(std::fs::read_dir(held)?.map(|entry| entry.map(|entry| entry.file_name())))
}

pub(super) fn is_empty(directory: &OwnedFd) -> io::Result<bool> {
    Ok(names(directory)?.next().is_none())
}
