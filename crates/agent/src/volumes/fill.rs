//! An image's content into a volume that is empty, as Docker does it: with owners, modes, times and
//! attributes.
//!
//! The volume may be another container's at the same time, and that container hostile. Everything is
//! made by the descriptor of its directory and opened without following links, so that the worst it can
//! do is to spoil its own volume.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat, readlinkat};
use nix::sys::stat::{
    FileStat, Mode, SFlag, UtimensatFlags, fchmod, fstat, fstatat, futimens, mkdirat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, symlinkat, unlinkat};

use super::tree;

/// Deeper trees than this no image has: a path is at most 4,096 bytes.
const DEEPEST: usize = 200;
/// Beside the content while it is being copied: what was begun and not finished is done again.
const MARK: &str = "filling";
pub(super) const DATA: &str = "data";

/// Copies what is in `source` into the volume at `volume` (which holds `data`), unless the volume has
/// content already. Blocks.
pub(super) fn fill(volume: &Path, source: &OwnedFd) -> io::Result<()> {
    // Two containers of a task may come at once.
    let lock = Flock::lock(File::open(volume)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    let mark = volume.join(MARK);
    let data = tree::open_directory(&volume.join(DATA))?;
    if !tree::is_empty(&data)? && !mark.exists() {
        return Ok(());
    }
    fs::write(&mark, "")?;
    copy_directory(source, &data, 0)?;
    fs::remove_file(&mark)?;
    drop(lock);
    Ok(())
}

/// Makes `below` in a volume, a relative path without links or `..`, as Docker makes a working directory.
/// A link in the way is left alone.
pub(super) fn make_directories(volume: &Path, below: &Path) -> io::Result<()> {
    let mut here = tree::open_directory(&volume.join(DATA))?;
    for part in below.components() {
        match mkdirat(&here, part.as_os_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        here = match tree::open_child(&here, part.as_os_str()) {
            Err(Errno::ELOOP | Errno::ENOTDIR) => return Ok(()),
            other => other?,
        };
    }
    Ok(())
}

fn copy_directory(from: &OwnedFd, to: &OwnedFd, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::Error::other("the image's directory is too deep to be copied"));
    }
    for name in tree::names(from)? {
        copy_one(from, to, &name?, depth)?;
    }
    // At last: what was made in it changed its times.
    like(&fstat(from)?, from, to)
}

fn copy_one(from: &OwnedFd, to: &OwnedFd, name: &OsStr, depth: usize) -> io::Result<()> {
    let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = stat.st_mode & SFlag::S_IFMT.bits();
    if kind == SFlag::S_IFDIR.bits() {
        match mkdirat(to, name, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        return copy_directory(&tree::open_child(from, name)?, &tree::open_child(to, name)?, depth + 1);
    }
    // Left by an attempt that was interrupted.
    match unlinkat(to, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    if kind == SFlag::S_IFREG.bits() {
        let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut source = File::from(openat(from, name, read, Mode::empty())?);
        let new = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut target = File::from(openat(to, name, new, Mode::from_bits_truncate(0o600))?);
        io::copy(&mut source, &mut target)?;
        return like(&stat, &source.into(), &target.into());
    }
    if kind == SFlag::S_IFLNK.bits() {
        symlinkat(readlinkat(from, name)?.as_os_str(), to, name)?;
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        fchownat(to, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let (atime, mtime) = times(&stat);
        utimensat(to, name, &atime, &mtime, UtimensatFlags::NoFollowSymlink)?;
    }
    // Sockets, FIFOs and devices are of no use to anybody as copies.
    Ok(())
}

fn times(stat: &FileStat) -> (TimeSpec, TimeSpec) {
    (TimeSpec::new(stat.st_atime, stat.st_atime_nsec), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec))
}

fn like(stat: &FileStat, from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    // After the owner, whose change takes the set-user-ID bit and the capabilities away.
    fchmod(to, Mode::from_bits_truncate(stat.st_mode & 0o7777))?;
    copy_attributes(from, to)?;
    let (atime, mtime) = times(stat);
    futimens(to, &atime, &mtime)?;
    Ok(())
}

/// The user's attributes, ACLs and file capabilities; overlayfs's own notes stay behind.
fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    // linux/limits.h: XATTR_LIST_MAX, XATTR_SIZE_MAX
    let mut list = vec![0u8; 65_536];
    // SAFETY: the kernel writes at most the given length.
    let length = unsafe { libc::flistxattr(from.as_raw_fd(), list.as_mut_ptr().cast(), list.len()) };
    let Ok(length) = usize::try_from(length) else {
        return unless_unsupported(io::Error::last_os_error());
    };
    for name in list[..length].split_inclusive(|&b| b == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name).map(CString::from) else { continue };
        if name.to_bytes().starts_with(b"trusted.") {
            continue;
        }
        let mut value = vec![0u8; 65_536];
        // SAFETY: the name is NUL-terminated; the kernel writes at most the given length.
        let length = unsafe {
            libc::fgetxattr(from.as_raw_fd(), name.as_ptr(), value.as_mut_ptr().cast(), value.len())
        };
        let Ok(length) = usize::try_from(length) else { continue };
        // SAFETY: the name is NUL-terminated; the value's pointer and length belong together.
        let set = unsafe { libc::fsetxattr(to.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), length, 0) };
        if set != 0 {
            unless_unsupported(io::Error::last_os_error())?;
        }
    }
    Ok(())
}

fn unless_unsupported(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::EOPNOTSUPP) { Ok(()) } else { Err(error) }
}
