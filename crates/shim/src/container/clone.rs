//! clone3(2): a process in new namespaces, and on cgroup v2 in its cgroup from its first instruction.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// clone(2). The C library's constant has too few bits.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// On which side of the clone we are.
#[derive(Debug, PartialEq, Eq)]
pub enum Side {
    Child,
    /// The child's pid.
    Parent(i32),
}

/// Clones this process, as fork does, with namespace flags; `cgroup` is the directory of a cgroup v2.
///
/// The caller must be single-threaded: the child goes on in our own memory's copy.
pub fn clone(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    clone_with(flags, libc::SIGCHLD as u64, cgroup)
}

/// A child of our parent's: a sibling of this process.
pub fn sibling() -> io::Result<Side> {
    // clone3 wants no signal here: it is the caller's own (clone(2), CLONE_PARENT).
    clone_with(libc::CLONE_PARENT as u64, 0, None)
}

fn clone_with(flags: u64, exit_signal: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    let into = if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    // SAFETY: plain numbers; all zero is "nothing special".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | into;
    args.exit_signal = exit_signal;
    args.cgroup = cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64);
    // SAFETY: a structure of the size given, without a stack: the child has a copy of ours.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &args, size_of::<libc::clone_args>()) };
    match pid {
        0 => Ok(Side::Child),
        1.. => Ok(Side::Parent(pid as i32)),
        _ => Err(io::Error::last_os_error()),
    }
}
