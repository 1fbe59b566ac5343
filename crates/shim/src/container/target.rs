//! Places in the container's root, found and made so that no link leads out of it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, mkdirat};

/// What is to be at a place that isn't there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
}

/// Finds `path` beneath `root`, whatever links are on the way; a path-only descriptor of the topmost mount there.
pub fn find<Fd: AsFd>(root: Fd, path: &Path) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root.as_fd(), path, how)
}

/// [`find`], and makes what is missing: directories on the way, and what `kind` says at the end.
pub fn make<Fd: AsFd>(root: Fd, path: &Path, kind: Kind) -> Result<OwnedFd, Errno> {
    match find(&root, path) {
        Err(Errno::ENOENT) => {}
        other => return other,
    }
    let parts: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        })
        .collect();
    let (mut here, mut sofar) = (find(&root, Path::new("/"))?, PathBuf::from("/"));
    for (n, name) in parts.iter().enumerate() {
        sofar.push(name);
        here = match find(&root, &sofar) {
            // By the parent's descriptor: what its path means can't change in between.
            Err(Errno::ENOENT) => {
                if n + 1 == parts.len() && kind == Kind::File {
                    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    drop(openat(&here, *name, flags | OFlag::O_WRONLY, Mode::from_bits_truncate(0o644))?);
                } else {
                    mkdirat(&here, *name, Mode::from_bits_truncate(0o755))?;
                }
                find(&root, &sofar)?
            }
            other => other?,
        };
    }
    Ok(here)
}

/// A path by which system calls that take no descriptor reach it. Needs the host's `/proc`.
pub fn path_of<Fd: AsFd>(fd: Fd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

pub fn is_directory<Fd: AsFd>(fd: Fd) -> Result<bool, Errno> {
    let stat = nix::sys::stat::fstat(fd)?;
    Ok(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made_beneath_the_root() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("root");
        std::fs::create_dir_all(root.join("srv")).unwrap();
        std::os::unix::fs::symlink("/srv", root.join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere", root.join("dangling")).unwrap();
        std::os::unix::fs::symlink("../../../../..", root.join("up")).unwrap();
        let dir = std::fs::File::open(&root).unwrap();
        for (asked, made) in [
            ("/a/b", "a/b"),
            ("/link/c", "srv/c"),
            ("/../../d", "d"),
            ("/up/e", "e"),
            ("/srv", "srv"),
            ("/", ""),
        ] {
            make(&dir, Path::new(asked), Kind::Directory).unwrap();
            assert!(root.join(made).is_dir(), "{asked}");
        }
        make(&dir, Path::new("/link/file"), Kind::File).unwrap();
        assert!(root.join("srv/file").is_file());
        assert_eq!(make(&dir, Path::new("/dangling/e"), Kind::Directory).unwrap_err(), Errno::EEXIST);
        assert_eq!(make(&dir, Path::new("/srv/file/x"), Kind::Directory).unwrap_err(), Errno::ENOTDIR);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1, "nothing outside of the root");
    }
}
