//! What can go wrong below the API.

use store::{CommitError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error("the rules can't be read")]
    Load {
        #[source]
        source: StoreError,
    },
    #[error("the rules can't be committed")]
    Commit {
        #[source]
        source: CommitError,
    },
    #[error("what is stored at {key:?} can't be understood")]
    Record {
        key: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("a stored key can't be understood: {key:?}")]
    Key { key: String },
    #[error("a thread can't be started")]
    Thread {
        #[source]
        source: std::io::Error,
    },
    #[error("the client for HTTP targets can't be made: {reason}")]
    Client { reason: String },
    #[error("the event service is shutting down")]
    Stopped,
}
