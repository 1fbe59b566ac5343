//! What of `/proc` and `/sys` a container must not read or write.

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use oci_spec::runtime::Linux;

use super::{mounts, target};

/// Masks and seals the paths of the specification. One that isn't there needs nothing.
pub fn apply(root: BorrowedFd<'_>, linux: &Linux) -> Result<(), String> {
    for path in linux.readonly_paths().iter().flatten() {
        there(seal(root, Path::new(path))).map_err(|errno| format!("make {path:?} read-only: {errno}"))?;
    }
    for path in linux.masked_paths().iter().flatten() {
        there(mask(root, Path::new(path))).map_err(|errno| format!("mask {path:?}: {errno}"))?;
    }
    Ok(())
}

fn there(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
        other => other,
    }
}

fn seal(root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let at = target::find(root, path)?;
    let tree = mounts::open_tree(&target::path_of(&at), true)?;
    mounts::set_read_only(&tree, true)?;
    mounts::attach(&tree, &at)
}

/// A directory becomes an empty one, anything else `/dev/null`: the host's, which no image has touched.
fn mask(root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let at = target::find(root, path)?;
    if target::is_directory(&at)? {
        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        return mount(Some("tmpfs"), &target::path_of(&at), Some("tmpfs"), flags, Some("size=0k,mode=755"));
    }
    mounts::attach(mounts::open_tree(Path::new("/dev/null"), false)?, &at)
}
