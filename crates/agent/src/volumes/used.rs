//! How much of the disk directories take, while containers write in them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat};

use super::tree;

/// Directories open at a time. An ordinary tree needs a handful; one that is made to need more can't be
/// measured.
const OPEN: usize = 256;
/// What `st_blocks` counts in, in bytes (inode(7)).
const BLOCK: u64 = 512;

/// What a measurement found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Bytes on disk: a sparse file's holes take none, a file with several names counts once.
    Bytes(u64),
    /// The tree is branched so deep that it can't be walked within bounds.
    TooDeep,
}

/// Adds up what lies below `roots`; those that aren't there take nothing.
pub fn measure(roots: &[PathBuf]) -> io::Result<Measure> {
    let mut seen = HashSet::new();
    let mut bytes = 0u64;
    for root in roots {
        match walk(root, &mut seen)? {
            Measure::Bytes(more) => bytes = bytes.saturating_add(more),
            Measure::TooDeep => return Ok(Measure::TooDeep),
        }
    }
    Ok(Measure::Bytes(bytes))
}

fn walk(root: &Path, seen: &mut HashSet<(u64, u64)>) -> io::Result<Measure> {
    let mut bytes = 0u64;
    let mut open = match tree::open_directory(root) {
        Err(Errno::ENOENT) => return Ok(Measure::Bytes(0)),
        other => vec![Rc::new(other?)],
    };
    // Each entry holds its parent open, so that a path never needs to be looked up again.
    let mut pending: Vec<(Rc<OwnedFd>, OsString)> = Vec::new();
    loop {
        let Some(directory) = open.pop() else {
            let Some((parent, name)) = pending.pop() else { return Ok(Measure::Bytes(bytes)) };
            // Gone, or something else by now.
            let Ok(child) = tree::open_child(parent.as_ref(), &name) else { continue };
            open.push(Rc::new(child));
            continue;
        };
        for name in tree::names(&directory)? {
            let name = name?;
            let found = fstatat(directory.as_ref(), name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
            let Ok(stat) = found else { continue };
            if stat.st_nlink > 1 && !is_directory(&stat) && !seen.insert((stat.st_dev, stat.st_ino)) {
                continue;
            }
            bytes = bytes.saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK));
            if is_directory(&stat) {
                pending.push((directory.clone(), name));
            }
        }
        let parents: HashSet<*const OwnedFd> = pending.iter().map(|(parent, _)| Rc::as_ptr(parent)).collect();
        if parents.len() > OPEN {
            return Ok(Measure::TooDeep);
        }
    }
}

fn is_directory(stat: &nix::sys::stat::FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode).contains(SFlag::S_IFDIR)
        && stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits()
}
