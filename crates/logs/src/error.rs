//! What can go wrong below the API.

use std::io;

use store::{CommitError, StoreError};

/// A failure of the log store.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("the log directory can't be made or listed")]
    Directory {
        #[source]
        source: io::Error,
    },
    #[error("a log segment can't be read")]
    Read {
        #[source]
        source: io::Error,
    },
    #[error("a log segment can't be written")]
    Write {
        #[source]
        source: io::Error,
    },
    #[error("a log segment can't be made durable")]
    Sync {
        #[source]
        source: io::Error,
    },
    #[error("a log segment can't be removed")]
    Remove {
        #[source]
        source: io::Error,
    },
    #[error("a stored log event is damaged: stream {stream}, byte {offset} of a segment")]
    Damaged { stream: u64, offset: u64 },
    #[error("an earlier write to this log stream failed; it takes no events until the next start")]
    Failed,
    #[error("the log stream was deleted")]
    StreamGone,
    #[error("the metadata can't be read")]
    Load {
        #[source]
        source: StoreError,
    },
    #[error("the metadata can't be committed")]
    Commit {
        #[source]
        source: CommitError,
    },
    #[error("the metadata at key {key:?} can't be understood")]
    Record {
        key: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("a key of the metadata can't be understood: {key:?}")]
    Key { key: String },
    #[error("a thread can't be started")]
    Thread {
        #[source]
        source: io::Error,
    },
    #[error("the log service is shutting down")]
    Stopped,
}

impl From<LogsError> for wire::Error {
    /// The caller can't mend it: CloudWatch Logs' `ServiceUnavailableException`, which clients
    /// retry. The causes go to our own log, not to the caller.
    fn from(error: LogsError) -> wire::Error {
        if matches!(error, LogsError::StreamGone) {
            return wire::Error::new("ResourceNotFoundException", "The specified log stream does not exist.");
        }
        let source = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, source, "a log operation failed");
        wire::Error::new("ServiceUnavailableException", "The service cannot complete the request.")
    }
}
