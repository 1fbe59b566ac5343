//! Keeps the shim's program from being written to by a container.
//!
//! A process that is about to run in a container is a copy of the shim until it executes the container's program, and
//! `#!/proc/self/exe` makes it the shim once more. Whoever can open `/proc/PID/exe` then has the host's file in hand, and
//! root in a container may write to it (CVE-2019-5736). So the shim runs from a mount of its own, attached nowhere and
//! read-only: what is opened through it can't be written to, by anybody.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::mounts;

const SELF: &str = "/proc/self/exe";

/// Returns when this program runs from a read-only mount; executes it anew from one if it doesn't.
pub fn seal() -> io::Result<()> {
    if fstatvfs(std::fs::File::open(SELF)?)?.flags().contains(FsFlags::ST_RDONLY) {
        return Ok(());
    }
    let mount = mounts::open_tree(Path::new(SELF), false)?;
    mounts::set_read_only(&mount, false)?;
    let arguments =
        std::env::args_os().map(|arg| CString::new(arg.as_bytes())).collect::<Result<Vec<_>, _>>()?;
    let environment = std::env::vars_os()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<Vec<_>, _>>()?;
    // By its path in /proc: a program executed by a descriptor alone is called by that descriptor's number.
    let path = CString::new(format!("/proc/self/fd/{}", mount.as_raw_fd()))?;
    let Err(errno) = nix::unistd::execve(&path, &arguments, &environment);
    Err(errno.into())
}
