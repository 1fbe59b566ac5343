//! What is on disk of a container while it is there: enough to clean up after a shim that was killed.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "state.json";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    cgroup: PathBuf,
    /// The first process; 0 while it is being made.
    pid: i32,
}

/// Writes the state into the directory `state`, whole or not at all.
pub fn write(state: &Path, cgroup: &Path, pid: i32) -> io::Result<()> {
    std::fs::create_dir_all(state)?;
    let text = serde_json::to_vec(&State { cgroup: cgroup.to_owned(), pid })?;
    let temporary = state.join(".state.json.new");
    std::fs::write(&temporary, text)?;
    std::fs::rename(temporary, state.join(FILE))
}

/// The cgroup of the container whose state is there.
pub fn cgroup_of(state: &Path) -> Option<PathBuf> {
    read(state).map(|state| state.cgroup)
}

/// Its first process, 0 if unknown.
pub fn pid_of(state: &Path) -> i32 {
    read(state).map_or(0, |state| state.pid)
}

fn read(state: &Path) -> Option<State> {
    serde_json::from_slice(&std::fs::read(state.join(FILE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("id");
        assert_eq!((cgroup_of(&state), pid_of(&state)), (None, 0));
        write(&state, Path::new("/a/b"), 0).unwrap();
        write(&state, Path::new("/a/b"), 7).unwrap();
        assert_eq!((cgroup_of(&state), pid_of(&state)), (Some("/a/b".into()), 7));
    }
}
