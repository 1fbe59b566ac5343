//! The shim's program on a mount that nobody can write to.
//!
//! Until it executes the container's program, a container's process is a copy of the shim, and `/proc/PID/exe` leads to
//! the shim's file (CVE-2019-5736). Our shim moves itself to a read-only mount where it finds itself on another; here
//! that is done once for all, which spares every launch a second execution.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// mount_setattr(2)'s `struct mount_attr`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// A copy of the mount that `program` is on, attached nowhere and read-only; the program itself is what it shows.
#[derive(Debug)]
pub(super) struct Sealed(OwnedFd);

impl Sealed {
    pub(super) fn of(program: &Path) -> io::Result<Self> {
        let path = CString::new(program.as_os_str().as_bytes())?;
        let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
        // SAFETY: a NUL-terminated path that lives through the call.
        let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given us this descriptor.
        let mount = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let attributes = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
        // SAFETY: an empty string and a structure of the size given, which live through the call.
        let set = unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                mount.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                &attributes,
                size_of::<Attributes>(),
            )
        };
        if set == 0 { Ok(Sealed(mount)) } else { Err(io::Error::last_os_error()) }
    }

    /// By which a child of this process executes it.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root.
    #[test]
    fn what_is_sealed_runs_and_cannot_be_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::copy("/bin/true", &program).unwrap();
        let sealed = Sealed::of(&program).unwrap();
        assert!(std::process::Command::new(sealed.path()).status().unwrap().success());
        let open = |path: &Path| std::fs::OpenOptions::new().write(true).open(path);
        assert_eq!(open(&sealed.path()).unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(open(&program).is_ok(), "elsewhere it can");
    }
}
