//! Network namespaces: made, pinned to a file, entered and left.
//!
//! Everything that changes the calling thread's namespace is for [`super::worker`]'s thread alone.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, statfs};

/// What passed a task's interface since it was made, seen from the task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// The calling thread's present namespace.
pub(super) fn current() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// How a visit to another namespace can fail.
pub(super) enum Visit<T> {
    Done(io::Result<T>),
    /// The thread could not come home and is of no more use.
    Astray(io::Error),
}

/// Runs `work` with the calling thread in a new, empty namespace, then returns to `home`.
pub(super) fn in_new<T>(home: &File, work: impl FnOnce() -> io::Result<T>) -> Visit<T> {
    visit(home, || unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from), work)
}

/// Runs `work` with the calling thread in `namespace`, then returns to `home`.
pub(super) fn inside<T>(home: &File, namespace: &File, work: impl FnOnce() -> io::Result<T>) -> Visit<T> {
    visit(home, || setns(namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from), work)
}

fn visit<T>(
    home: &File,
    go: impl FnOnce() -> io::Result<()>,
    work: impl FnOnce() -> io::Result<T>,
) -> Visit<T> {
    if let Err(error) = go() {
        return Visit::Done(Err(error));
    }
    let result = work();
    match setns(home, CloneFlags::CLONE_NEWNET) {
        Ok(()) => Visit::Done(result),
        Err(error) => Visit::Astray(error.into()),
    }
}

/// Binds `namespace` to a new file at `path`, so that it outlives us.
pub(super) fn pin(namespace: &File, path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    let source = format!("/proc/thread-self/fd/{}", namespace.as_raw_fd());
    mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|error| {
        // The mount's own error is the one worth telling.
        let _ = fs::remove_file(path);
        error.into()
    })
}

/// Lets go of a pinned namespace; false if nothing was there.
pub(super) fn unpin(path: &Path) -> io::Result<bool> {
    match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        // EINVAL: a file without a mount, left by a crash or a reboot.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a namespace is bound to `path`.
pub(super) fn is_pinned(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}

/// The names under `dir` that have a namespace, and those that have lost theirs.
pub(super) fn pinned(dir: &Path) -> io::Result<(Vec<String>, Vec<String>)> {
    let (mut alive, mut stale) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if is_pinned(&entry.path()) { alive.push(name) } else { stale.push(name) }
    }
    alive.sort();
    Ok((alive, stale))
}
