//! The exit record: how a container ended, on disk before anybody is told.
//!
//! An agent that was away, or that crashed between our answer and its own commit, reads it from the bundle.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// File name, in the bundle.
pub const FILE: &str = "exit.json";

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// The exit status, or 128 plus the number of the signal that ended it.
    pub exit_code: u32,
    /// Milliseconds since the epoch.
    pub exited_at_ms: u64,
    /// The kernel killed a process of this container because a memory limit was reached.
    #[serde(default)]
    pub oom_killed: bool,
}

impl Exit {
    /// An exit with `exit_code` now.
    pub fn now(exit_code: u32) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { exit_code, exited_at_ms: since.as_millis() as u64, oom_killed: false }
    }
}

/// Writes the record so that it survives a power cut once this returns: temporary file, fsync, rename, fsync of the
/// directory.
pub fn write(bundle: &Path, exit: &Exit) -> io::Result<()> {
    let temporary = bundle.join(".exit.json.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    file.write_all(&serde_json::to_vec(exit)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, bundle.join(FILE))?;
    File::open(bundle)?.sync_all()
}

/// The record, if there is a readable one.
pub fn read(bundle: &Path) -> Option<Exit> {
    serde_json::from_slice(&std::fs::read(bundle.join(FILE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_what_the_agent_reads() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), None);
        let exit = Exit { exit_code: 137, exited_at_ms: 1_700_000_000_123, oom_killed: true };
        write(dir.path(), &exit).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text, r#"{"exitCode":137,"exitedAtMs":1700000000123,"oomKilled":true}"#);
        assert_eq!(read(dir.path()), Some(exit));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
