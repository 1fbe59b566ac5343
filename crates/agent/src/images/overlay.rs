//! Mounting an overlay, and unmounting it.
//!
//! By the new mount API, a call for each lower directory: mount(2) takes one page of options and cuts the
//! rest off, which shows as ENOENT. Kernels before 6.7 lack `lowerdir+`; there the directories are named
//! by descriptors (`/proc/self/fd/N`), short enough for two hundred of them in a page.

use super::sys::{self, FsContext};
use nix::{errno::Errno, mount::MsFlags};
use std::{
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

/// A mount or an unmount that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {path}: {source}")]
pub struct MountError {
    pub action: &'static str,
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// The parts of an overlay.
#[derive(Debug)]
pub(super) struct Overlay<'a> {
    /// The topmost first; at least one.
    pub lower: &'a [PathBuf],
    pub upper: &'a Path,
    pub work: &'a Path,
}

/// linux/fsconfig: a value of a string parameter, with its NUL, takes 256 bytes.
const LONGEST_VALUE: usize = 255;

impl Overlay<'_> {
    /// Mounts at `target`.
    ///
    /// `volatile`: what a container wrote needn't survive a power cut, for its container doesn't, and
    /// without it each unmount would sync the whole disk (Linux documentation, "overlayfs": volatile
    /// mount).
    pub fn mount(&self, target: &Path) -> Result<(), MountError> {
        let failed = |source| MountError { action: "mount an overlay at", path: target.to_owned(), source };
        match self.mount_by_context(target) {
            Err(e) if is_too_old(&e) => self.mount_by_options(target).map_err(failed),
            other => other.map_err(failed),
        }
    }

    fn mount_by_context(&self, target: &Path) -> io::Result<()> {
        let context = FsContext::open(c"overlay")?;
        let mut kept = Vec::new();
        for lower in self.lower {
            let (path, fd) = short_path(lower)?;
            kept.extend(fd);
            context.set(c"lowerdir+", &sys::c_path(&path)?)?;
        }
        for (key, directory) in [(c"upperdir", self.upper), (c"workdir", self.work)] {
            let (path, fd) = short_path(directory)?;
            kept.extend(fd);
            context.set(key, &sys::c_path(&path)?)?;
        }
        context.flag(c"volatile")?;
        context.set(c"source", c"longshore")?;
        context.mount(0)?.attach(target)
    }

    pub(super) fn mount_by_options(&self, target: &Path) -> io::Result<()> {
        let mut kept = Vec::new();
        let mut by_descriptor = |directory: &Path| -> io::Result<String> {
            let fd = open_directory(directory)?;
            let path = descriptor_path(&fd);
            kept.push(fd);
            Ok(path)
        };
        let lower = self.lower.iter().map(|lower| by_descriptor(lower)).collect::<io::Result<Vec<_>>>()?;
        let options = format!(
            "lowerdir={},upperdir={},workdir={},volatile",
            lower.join(":"),
            by_descriptor(self.upper)?,
            by_descriptor(self.work)?
        );
        if options.len() >= 4096 {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel takes no more than about 200 layers; Linux 6.7 takes 500",
            ));
        }
        nix::mount::mount(
            Some("longshore"),
            target,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .map_err(Into::into)
    }
}

/// Without the new mount API, or with an overlayfs that doesn't know `lowerdir+`. A real EINVAL comes
/// again from the other way.
fn is_too_old(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

/// A path short enough for fsconfig(2), and the descriptor to hold meanwhile if it is one's.
fn short_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= LONGEST_VALUE {
        return Ok((path.to_owned(), None));
    }
    let fd = open_directory(path)?;
    Ok((descriptor_path(&fd).into(), Some(fd)))
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    Ok(fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?.into())
}

fn descriptor_path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Unmounts what is mounted at `target`; a mount still in use goes when its last user does. That nothing
/// is mounted there, or that there is no such directory, is no error.
pub fn unmount(target: &Path) -> Result<(), MountError> {
    use nix::mount::{MntFlags, umount2};
    let result = match umount2(target, MntFlags::UMOUNT_NOFOLLOW) {
        Err(Errno::EBUSY) => umount2(target, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH),
        other => other,
    };
    match result {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(errno) => Err(MountError { action: "unmount", path: target.to_owned(), source: errno.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way of kernels before 6.7, with more layers than a page of their paths would hold.
    #[test]
    fn older_kernels_mount_by_descriptors() {
        let directory = tempfile::Builder::new().prefix("longshore-overlay-").tempdir().unwrap();
        let make = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let lower: Vec<PathBuf> = (0..150).map(|n| make(&format!("a-long-name-of-a-layer-{n:03}"))).collect();
        fs::write(lower[0].join("f"), "top").unwrap();
        fs::write(lower[149].join("f"), "bottom").unwrap();
        fs::write(lower[149].join("g"), "bottom").unwrap();
        let (upper, work, target) = (make("upper"), make("work"), make("target"));
        let overlay = Overlay { lower: &lower, upper: &upper, work: &work };
        overlay.mount_by_options(&target).unwrap();
        let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
        let seen = (read("f"), read("g"));
        unmount(&target).unwrap();
        assert_eq!(seen, ("top".to_owned(), "bottom".to_owned()));
        unmount(&target).unwrap();
        unmount(&directory.path().join("nowhere")).unwrap();

        let many: Vec<PathBuf> = lower.iter().cycle().take(400).cloned().collect();
        let error =
            Overlay { lower: &many, upper: &upper, work: &work }.mount_by_options(&target).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn a_mount_that_cannot_be_names_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("none");
        let lower = [directory.path().to_owned()];
        let error = Overlay { lower: &lower, upper: directory.path(), work: directory.path() }.mount(&target);
        assert!(error.unwrap_err().to_string().contains("none"));
    }
}
