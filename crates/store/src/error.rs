//! What can go wrong, told so that the caller knows whether its commit happened.

use std::io;
use std::path::PathBuf;

use crate::Revision;

/// The store can't be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process (or another part of this one) has this state open.
    #[error("{} is in use by {}", path.display(), owner(*pid))]
    Locked {
        path: PathBuf,
        /// The process that holds it, when it could leave its id.
        pid: Option<u32>,
    },
    /// The file is some other program's SQLite database.
    #[error("{} belongs to another program (application id {application_id:#010x})", path.display())]
    Foreign { path: PathBuf, application_id: i32 },
    /// The file was written by a newer Longshore.
    #[error("{} has schema version {found}; this Longshore reads up to {supported}", path.display())]
    NewerSchema { path: PathBuf, found: i32, supported: i32 },
    /// The disk or the quota is full.
    #[error("no space left for {} while {during}", path.display())]
    Full {
        path: PathBuf,
        during: &'static str,
        #[source]
        source: Cause,
    },
    /// The file or its directory can't be written.
    #[error("{} can't be written while {during}", path.display())]
    ReadOnly {
        path: PathBuf,
        during: &'static str,
        #[source]
        source: Cause,
    },
    /// The file isn't a database, or a damaged one.
    #[error("{} is damaged, found while {during}", path.display())]
    Corrupt {
        path: PathBuf,
        during: &'static str,
        #[source]
        source: Cause,
    },
    /// Any other failure.
    #[error("{} failed while {during}", path.display())]
    Failed {
        path: PathBuf,
        during: &'static str,
        #[source]
        source: Cause,
    },
    /// An earlier commit ended in an unknown state; the store must be opened anew, and can't be yet.
    #[error("{} must be reopened, for an earlier commit ended in an unknown state, and can't be yet", path.display())]
    Broken {
        path: PathBuf,
        #[source]
        source: Box<StoreError>,
    },
    /// A batch names an empty key.
    #[error("change {position} of the batch has an empty key")]
    EmptyKey { position: usize },
    /// A failure that a simulation asked for.
    #[error("injected failure of commit {nth}")]
    Injected { nth: u64 },
}

/// What lies below a [`StoreError`].
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a commit gave no revision.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The store is at another revision than the caller expected. Nothing was changed.
    #[error("the store is at revision {actual}, not at the expected {expected}")]
    Conflict { expected: Revision, actual: Revision },
    /// Nothing was changed; the same commit may be tried again.
    #[error("nothing was committed")]
    Refused(#[source] StoreError),
    /// The batch may or may not have taken effect. The caller must `load` before it goes on, and
    /// must not answer its own client as if it knew.
    #[error("whether the commit took effect is unknown")]
    Unknown(#[source] StoreError),
}

fn owner(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
