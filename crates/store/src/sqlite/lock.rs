//! One process at a time per database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Cause, StoreError};

/// How long the children of a killed process may hold its lock.
const COPIES: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(10);

/// Holds `<database>.lock` until dropped. The kernel releases it when the process dies, however it
/// dies, so a stale file is harmless. (SQLite's own locks would let a second writer in between two
/// transactions, and its in-memory world would not notice.)
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    pub(super) fn acquire(database: &Path) -> Result<Lock, StoreError> {
        let path = lock_path(database);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| super::io_error(&path, "opening the lock", source))?;
        let until = Instant::now() + COPIES;
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock))
            && Instant::now() < until
            && owner_is_gone(&path)
        {
            std::thread::sleep(AGAIN);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {
                // The id only makes the other side's message better: on a full disk we go without.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| write!(file, "{}", std::process::id()));
                Ok(Lock { file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(StoreError::Locked { path: database.to_owned(), pid: text.trim().parse().ok() })
            }
            Err(TryLockError::Error(source)) => {
                Err(StoreError::Failed { path, during: "locking", source: Cause::Io(source) })
            }
        }
    }
}

impl Drop for Lock {
    /// Closing our descriptor would not be enough: a child that another thread is just forking has a
    /// copy until it executes its program, and the lock lives as long as any copy is open.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Whether the process that wrote its id has died: a child that it was just forking has a copy of the lock
/// until it executes its program.
fn owner_is_gone(lock: &Path) -> bool {
    let text = std::fs::read_to_string(lock).unwrap_or_default();
    let Ok(pid) = text.trim().parse::<u32>() else { return false };
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name before the state may hold anything, parentheses too. Z: it only waits for its parent.
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
