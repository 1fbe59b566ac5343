//! CloudWatch Logs for containers: log groups, streams and events, kept on this machine's disk.
//!
//! Groups and streams with their settings are metadata in the key-value store (`catalog`); events
//! are in append-only segment files (`segment`, `stream`), read back in the order of time (`read`).
//! `PutLogEvents` is answered when its events are durable; many puts share one sync.
//!
//! Full segments are compressed block by block; all together have a limit, and the oldest ones go first.
//! Filter patterns are `filter`, Live Tail is `live`.
//!
//! It must never answer a put before it is durable, read or decompress a whole segment into memory to
//! answer a question, or know who sends logs: the agent's driver is a client like any other.
//!
//! Start at [`Logs`], then `api` (one function an operation) and `stream/log.rs` (the append).

mod api;
mod catalog;
mod clock;
mod error;
mod filter;
mod live;
mod put;
mod read;
mod retention;
mod segment;
mod service;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::Store;
use wire::dispatch::Router;

pub use clock::Clock;
pub use error::LogsError;

use catalog::Catalog;
use retention::Sweeper;
use service::Service;
use stream::{Options, Quiet, Segments, StreamId};

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
    /// All segments together: above it the oldest ones go. What was taken in the last few seconds may
    /// come on top.
    pub max_bytes: u64,
    /// A segment that nothing was added to for so long is compressed, however few bytes it has above
    /// [`LogsConfig::quiet_bytes`]. Full ones are at once.
    pub quiet: Duration,
    pub quiet_bytes: u64,
}

impl LogsConfig {
    /// The usual sizes, and the machine's clock.
    pub fn new(data_dir: impl Into<PathBuf>) -> LogsConfig {
        LogsConfig {
            data_dir: data_dir.into(),
            clock: Clock::system(),
            segment_bytes: 64 << 20,
            open_files: 128,
            max_bytes: 10 << 30,
            quiet: Duration::from_secs(60 * 60),
            quiet_bytes: 256 << 10,
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
            // A limit that is small is kept to by giving up small pieces.
            segment_bytes: config.segment_bytes.min((config.max_bytes / 16).max(64 << 10)),
            open_files: config.open_files,
            quiet: Quiet {
                bytes: config.quiet_bytes,
                ms: i64::try_from(config.quiet.as_millis()).unwrap_or(i64::MAX),
            },
        };
        let segments = Segments::open(options, |stream| live.contains(&stream))?;
        let service =
            Arc::new(Service { catalog, segments, clock: config.clock, max_bytes: config.max_bytes });
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

    /// Compresses segments that are full or quiet, and removes the oldest ones above the limit. Blocks.
    /// Happens by itself within seconds while logs come, and once a minute.
    ///
    /// # Errors
    /// When a segment can't be read, written or removed.
    pub fn tidy(&self) -> Result<(), LogsError> {
        self.service.tidy()
    }
}
