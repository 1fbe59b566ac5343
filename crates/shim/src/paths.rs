//! Where a shim keeps its socket and the state of its containers.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Environment variable: the directory of the shims' sockets. It must be short.
pub const SOCKET_DIR: &str = "LONGSHORE_SHIM_SOCKET_DIR";
/// Environment variable: the directory of the containers' runtime state.
pub const STATE_DIR: &str = "LONGSHORE_SHIM_STATE_DIR";
/// Longest path of a unix socket, in bytes, its closing NUL not counted (unix(7)).
const SOCKET_PATH_MAX: usize = 107;

/// The socket's path would be longer than the kernel takes.
#[derive(Debug, thiserror::Error)]
#[error(
    "socket path {path:?} is {length} bytes long, {SOCKET_PATH_MAX} is the limit; set {SOCKET_DIR} to a shorter directory"
)]
pub struct SocketPathTooLong {
    path: PathBuf,
    length: usize,
}

/// The socket on which the shim of `group` serves. The name is a hash, so that its length never depends on ids.
pub fn socket(dir: &Path, namespace: &str, group: &str) -> Result<PathBuf, SocketPathTooLong> {
    let digest = Sha256::new().chain_update(namespace).chain_update([0]).chain_update(group).finalize();
    let name: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    let path = dir.join(name);
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_MAX { Err(SocketPathTooLong { path, length }) } else { Ok(path) }
}

/// The directory of the sockets.
pub fn socket_dir() -> PathBuf {
    from_env(SOCKET_DIR, "/run/longshore/s")
}

/// The directory in which each container of `namespace` has its state.
pub fn state_root(namespace: &str) -> PathBuf {
    from_env(STATE_DIR, "/run/longshore/c").join(namespace)
}

fn from_env(name: &str, default: &str) -> PathBuf {
    std::env::var_os(name).filter(|v| !v.is_empty()).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_one_short_name() {
        let dir = Path::new("/run/longshore/s");
        let a = socket(dir, "ns", "task").unwrap();
        assert_eq!(a, socket(dir, "ns", "task").unwrap());
        assert_ne!(a, socket(dir, "nst", "ask").unwrap());
        assert_eq!(a.as_os_str().len(), dir.as_os_str().len() + 41);
        assert!(socket(Path::new(&format!("/{}", "d".repeat(70))), "ns", "task").is_err());
    }
}
