//! What a container's process keeps open: its three streams and the pipes to the shim.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Puts the streams in their places and closes everything that isn't `kept`.
///
/// The shim's own descriptors would otherwise be there, in `/proc/PID/fd`, for whoever shares the process's pid
/// namespace until it executes its program.
pub fn keep_only(streams: [&OwnedFd; 3], kept: &[RawFd]) -> Result<(), String> {
    for (place, stream) in streams.iter().enumerate() {
        // SAFETY: the streams are above 2 and all different (`stdio::Given`).
        if unsafe { libc::dup2(stream.as_raw_fd(), place as RawFd) } < 0 {
            return Err(format!("standard stream {place}: {}", nix::errno::Errno::last()));
        }
    }
    let mut kept: Vec<u32> = kept.iter().map(|fd| *fd as u32).collect();
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept.into_iter().chain([u32::MAX]) {
        if fd > from {
            let to = if fd == u32::MAX { fd } else { fd - 1 };
            // SAFETY: only descriptors of this process, which its caller gives up.
            unsafe { libc::syscall(libc::SYS_close_range, from, to, 0u32) };
        }
        from = fd.saturating_add(1);
    }
    Ok(())
}

/// Closes a descriptor whose owner lives on only in another process's copy of this memory.
pub fn close(fd: &OwnedFd) {
    // SAFETY: this process never uses or drops it again: it ends by execve or _exit.
    unsafe { libc::close(fd.as_raw_fd()) };
}
