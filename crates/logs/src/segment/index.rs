//! What is where in a segment: a sparse index over time, in memory.

use super::frame::{FRAME_BYTES, Header};

/// Neighbouring frames that are read together. About one for each [`FRAME_BYTES`] of file, however
/// small the puts were: 48 bytes of memory for 64 KiB of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) count: u32,
    pub(crate) first_ordinal: u64,
    /// Bounds of the events' times. Puts may overlap in time, so these are a minimum and a maximum.
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

/// The spans of one segment, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    spans: Vec<Span>,
    /// Where the last indexed frame ends.
    end: u64,
    next_ordinal: u64,
    last_ingestion_ms: i64,
    bounds_ms: Option<(i64, i64)>,
}

impl Index {
    /// An empty index of a segment whose first event will have this ordinal.
    pub(crate) fn new(first_ordinal: u64) -> Index {
        Index { next_ordinal: first_ordinal, ..Index::default() }
    }

    /// Adds the frame that follows the last one.
    pub(crate) fn push(&mut self, frame: &Header) {
        let len = frame.len() as u32;
        match self.spans.last_mut() {
            Some(span) if (span.len + len) as usize <= FRAME_BYTES => {
                span.len += len;
                span.count += frame.count;
                span.min_ms = span.min_ms.min(frame.first_ms);
                span.max_ms = span.max_ms.max(frame.last_ms);
            }
            _ => self.spans.push(Span {
                offset: self.end,
                len,
                count: frame.count,
                first_ordinal: frame.first_ordinal,
                min_ms: frame.first_ms,
                max_ms: frame.last_ms,
            }),
        }
        self.end += u64::from(len);
        self.next_ordinal = frame.first_ordinal + u64::from(frame.count);
        self.last_ingestion_ms = self.last_ingestion_ms.max(frame.ingestion_ms);
        let (min, max) = self.bounds_ms.unwrap_or((frame.first_ms, frame.last_ms));
        self.bounds_ms = Some((min.min(frame.first_ms), max.max(frame.last_ms)));
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The length of the file as far as it is indexed, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The ordinal of the event that follows.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    pub(crate) fn last_ingestion_ms(&self) -> i64 {
        self.last_ingestion_ms
    }

    /// The earliest and the latest event's time; `None` when there are no events.
    pub(crate) fn bounds_ms(&self) -> Option<(i64, i64)> {
        self.bounds_ms
    }
}
