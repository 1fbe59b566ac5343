//! The events of streams on disk: appending, group commit, and what a reader may see.
//!
//! Layout: `<root>/<group id>/<stream id>.<first ordinal>.seg`, and `.segz` once it is packed (`keep`).
//! Ids are never used twice, so files without metadata are the remains of a deletion and are removed at
//! the next start.

mod files;
mod keep;
mod log;
mod segments;
mod syncer;

#[cfg(test)]
mod tests;

pub(crate) use keep::Quiet;
pub(crate) use segments::{Options, Put, Segments, SpanRef};

/// Names a stream for ever: of its group and of its own, both unique in a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamId {
    pub(crate) group: u64,
    pub(crate) stream: u64,
}

/// What a listing says about a stream's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The earliest and the latest event's time.
    pub(crate) bounds_ms: Option<(i64, i64)>,
    pub(crate) last_ingestion_ms: Option<i64>,
    pub(crate) next_ordinal: u64,
}
