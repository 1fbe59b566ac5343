//! Directories that somebody else may be changing: every step goes by a descriptor and follows no link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How deep a removal goes by itself. What lies deeper is first moved up: a container may have made a
/// tree deeper than we have descriptors or stack.
const DEEPEST: usize = 64;

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

/// Removes a directory with everything in it, however deep. That it isn't there is no error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let top = match open_directory(path) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other?,
    };
    let mut moved = 0;
    while !is_empty(&top)? {
        clear(&top, &top, 0, &mut moved)?;
    }
    match std::fs::remove_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn clear(directory: &OwnedFd, top: &OwnedFd, depth: usize, moved: &mut u64) -> io::Result<()> {
    for name in names(directory)? {
        let name = name?;
        match unlinkat(directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => continue,
            Err(Errno::EISDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if depth == DEEPEST {
            *moved += 1;
            // A name that is taken, perhaps by a container's malice: the next one.
            while let Err(errno) =
                renameat(directory, name.as_os_str(), top, format!(".deep-{moved}").as_str())
            {
                match errno {
                    Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR => *moved += 1,
                    errno => return Err(errno.into()),
                }
            }
            continue;
        }
        clear(&open_child(directory, &name)?, top, depth + 1, moved)?;
        match unlinkat(directory, name.as_os_str(), UnlinkatFlags::RemoveDir) {
            // Read while it changed: the caller looks again.
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
