//! Unix sockets: the shim's own, and connections that must not wait.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

/// A connection, if it can be had without waiting. Non-blocking.
pub fn connect_now(path: &Path) -> Option<UnixStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).ok()?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path).ok()?).ok()?;
    Some(fd.into())
}

/// Whether somebody serves at `path`.
pub fn is_served(path: &Path) -> bool {
    connect_now(path).is_some()
}

/// The serving socket of a group.
#[derive(Debug)]
pub enum Claim {
    /// Nobody served; now we do.
    Ours(UnixListener),
    /// A shim serves the group already.
    Served,
}

/// Takes the socket at `path`, unless a living shim has it. Two callers at once don't both get it: the directory is
/// locked meanwhile.
pub fn claim(path: &Path) -> io::Result<Claim> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let dir = path.parent().unwrap_or(Path::new("/"));
    // Whoever may connect owns the containers.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let lock = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(dir)?;
    lock.lock()?;
    if is_served(path) {
        return Ok(Claim::Served);
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path).map(Claim::Ours)
}

/// Removes a socket that nobody serves any more.
pub fn remove_stale(path: &Path) {
    if !is_served(path) {
        let _ = std::fs::remove_file(path);
    }
}
