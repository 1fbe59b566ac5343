//! CloudWatch Logs for containers: log groups, streams and events, kept on this machine's disk.
//!
//! Groups and streams with their settings are metadata in the key-value store (`catalog`); events
//! are in append-only segment files (`segment`, `stream`), read back in the order of time (`read`).
//! `PutLogEvents` is answered when its events are durable; many puts share one sync.
//!
//! It must never answer a put before it is durable, read a whole segment into memory to answer a
//! question, or know who sends logs: the agent's driver is a client like any other.
//!
//! Start at [`Logs`], then `api` (one function an operation) and `stream/log.rs` (the append).

mod api;
mod catalog;
mod clock;
mod error;
mod filter;
mod put;
mod read;
mod retention;
mod segment;
mod service;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use store::Store;
use wire::dispatch::Router;

pub use clock::Clock;
pub use error::LogsError;

use catalog::Catalog;
use retention::Sweeper;
use service::Service;
use stream::{Options, Segments, StreamId};

/// How the log service is set up.
#[derive(Clone, Debug)]
pub struct LogsConfig {
    /// The segments' directory; made when it doesn't exist. One process at a time: the store's own
    /// lock sees to that.
    pub data_dir: PathBuf,
    pub clock: Clock,
    /// A segment file that reached so many bytes is followed by a new one. What retention removes
    /// are whole segments.
    pub segment_bytes: u64,
    /// How many segment files are kept open at most, beside those that are being synced.
    pub open_files: usize,
}

impl LogsConfig {
    /// The usual sizes, and the machine's clock.
    pub fn new(data_dir: impl Into<PathBuf>) -> LogsConfig {
        LogsConfig {
            data_dir: data_dir.into(),
            clock: Clock::system(),
            segment_bytes: 64 << 20,
            open_files: 128,
        }
    }
}

/// The log service. Its operations may outlive it; its threads end with the last of both.
#[derive(Debug)]
pub struct Logs {
    service: Arc<Service>,
    _sweeper: Sweeper,
}

impl Logs {
    /// Opens what is there. `store` is for this service alone (`logs.db`). Reads the metadata and
    /// the names of the segments; events are read when somebody asks for them.
    ///
    /// # Errors
    /// When the directory or the store can't be read, or the metadata can't be understood.
    pub fn open(config: LogsConfig, store: Arc<dyn Store>) -> Result<Logs, LogsError> {
        let catalog = Catalog::open(store)?;
        let live: std::collections::HashSet<StreamId> =
            catalog.state().groups.values().flat_map(|group| group.stream_ids()).collect();
        let options = Options {
            root: config.data_dir,
            segment_bytes: config.segment_bytes,
            open_files: config.open_files,
        };
        let segments = Segments::open(options, |stream| live.contains(&stream))?;
        let service = Arc::new(Service { catalog, segments, clock: config.clock });
        let sweeper = Sweeper::start(&service)?;
        Ok(Logs { service, _sweeper: sweeper })
    }

    /// The operations of `logs`, to be merged into the endpoint's router. They need a tokio
    /// runtime.
    pub fn operations(&self) -> Router {
        api::operations(&self.service)
    }

    /// Removes segments whose events are all older than their group's retention period, and answers
    /// how many. Blocks. Happens by itself once an hour; expired events are never shown meanwhile.
    ///
    /// # Errors
    /// When a stream can't be read or a file can't be removed.
    pub fn expire(&self) -> Result<usize, LogsError> {
        self.service.expire()
    }
}
