//! Removing what a layer or a container made: any tree, however deep, by a few descriptors and little
//! stack, and also while somebody still writes to it.
//!
//! `std::fs::remove_dir_all` goes down with a descriptor and a frame for each level. A container makes a
//! hundred thousand levels in a second, and then the removal fails for want of descriptors or ends the
//! process for want of stack. Here whatever lies deeper than [`DEEPEST`] is first moved to the top.

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, openat, renameat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

/// Levels that are gone down by descriptors.
const DEEPEST: usize = 48;

/// Removes `path` and everything below it; no symbolic link is followed. That there is none is no error.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match remove_at(AT_FDCWD, path.as_os_str()) {
        Err(Errno::ENOENT) => Ok(()),
        other => other.map_err(Into::into),
    }
}

/// The same of an entry of an open directory; one that isn't there is `ENOENT`.
pub(crate) fn remove_at(parent: impl AsFd, name: &OsStr) -> nix::Result<()> {
    let parent = parent.as_fd();
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR | Errno::EPERM) => {}
        other => return other,
    }
    let top = open_directory(parent, name)?;
    let mut moved = 0;
    loop {
        empty(&top, &top, 0, &mut moved)?;
        match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
            // What was moved to the top, or written since it was read.
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
            other => return other,
        }
    }
}

/// Empties `directory`; subdirectories that are too deep go to `top`, and `moved` counts them.
fn empty(directory: &OwnedFd, top: &OwnedFd, depth: usize, moved: &mut u64) -> nix::Result<()> {
    let listing = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    for entry in fs::read_dir(listing).map_err(errno)? {
        let name = entry.map_err(errno)?.file_name();
        match unlinkat(directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => continue,
            Err(Errno::EISDIR | Errno::EPERM) => {}
            Err(other) => return Err(other),
        }
        match unlinkat(directory, name.as_os_str(), UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => continue,
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
            Err(other) => return Err(other),
        }
        if depth >= DEEPEST {
            move_up(directory, &name, top, moved)?;
            continue;
        }
        let below = open_directory(directory.as_fd(), &name)?;
        empty(&below, top, depth + 1, moved)?;
        drop(below);
        match unlinkat(directory, name.as_os_str(), UnlinkatFlags::RemoveDir) {
            // Written to since it was read: whoever began looks again.
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

fn move_up(directory: &OwnedFd, name: &OsString, top: &OwnedFd, moved: &mut u64) -> nix::Result<()> {
    loop {
        let free = format!(".removed-{moved}");
        *moved += 1;
        match renameat(directory, name.as_os_str(), top, free.as_str()) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR) => {}
            other => return other,
        }
    }
}

fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::mkdirat;

    /// Deeper than descriptors or stack would allow, with names in the way at the top.
    #[test]
    fn a_tree_of_any_depth_goes() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("tree");
        fs::create_dir(&root).unwrap();
        fs::create_dir_all(root.join(".removed-0/kept")).unwrap();
        fs::write(root.join(".removed-1"), "").unwrap();
        let mut at = open_directory(AT_FDCWD, root.as_os_str()).unwrap();
        for _ in 0..30_000 {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = open_directory(at.as_fd(), OsStr::new("d")).unwrap();
        }
        drop(at);
        remove_tree(&root).unwrap();
        assert!(!root.exists());
        remove_tree(&root).unwrap();
    }

    #[test]
    fn what_is_still_written_to_is_removed() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("tree");
        fs::create_dir(&root).unwrap();
        std::thread::scope(|scope| {
            // Ends when the directory is gone, which it does not make again.
            scope.spawn(|| {
                (0..10_000).take_while(|n| fs::create_dir(root.join(n.to_string())).is_ok()).count()
            });
            remove_tree(&root).unwrap();
        });
        assert!(!root.exists());
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir_all(outer.path().join("kept/a")).unwrap();
        fs::create_dir(outer.path().join("tree")).unwrap();
        std::os::unix::fs::symlink("../kept", outer.path().join("tree/link")).unwrap();
        std::os::unix::fs::symlink("kept", outer.path().join("itself")).unwrap();
        remove_tree(&outer.path().join("tree")).unwrap();
        remove_tree(&outer.path().join("itself")).unwrap();
        assert!(outer.path().join("kept/a").is_dir());
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}
