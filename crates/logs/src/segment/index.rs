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

/// An index as a file beside its full segment, so that the segment needn't be read again at the next
/// start: magic, checksum of the rest, then the fields, all numbers little endian.
mod saved {
    use super::{Index, Span};

    const MAGIC: [u8; 4] = *b"LSX1";
    const START: usize = 8;

    impl Index {
        pub(crate) fn encode(&self) -> Vec<u8> {
            let (min, max) = self.bounds_ms.unwrap_or((i64::MAX, i64::MIN));
            let mut out = [MAGIC, [0; 4]].concat();
            out.extend(self.end.to_le_bytes());
            out.extend(self.next_ordinal.to_le_bytes());
            out.extend(self.last_ingestion_ms.to_le_bytes());
            out.extend(min.to_le_bytes());
            out.extend(max.to_le_bytes());
            for span in &self.spans {
                out.extend(span.offset.to_le_bytes());
                out.extend(span.len.to_le_bytes());
                out.extend(span.count.to_le_bytes());
                out.extend(span.first_ordinal.to_le_bytes());
                out.extend(span.min_ms.to_le_bytes());
                out.extend(span.max_ms.to_le_bytes());
            }
            let crc = crc32fast::hash(&out[START..]);
            out[4..START].copy_from_slice(&crc.to_le_bytes());
            out
        }

        /// `None` when the bytes are anything but a whole index.
        pub(crate) fn decode(bytes: &[u8]) -> Option<Index> {
            let mut rest = bytes.get(START..)?;
            if bytes[..4] != MAGIC || bytes[4..START] != crc32fast::hash(rest).to_le_bytes() {
                return None;
            }
            let (end, next_ordinal) = (u64::from_le_bytes(take(&mut rest)?), take(&mut rest)?);
            let last_ingestion_ms = i64::from_le_bytes(take(&mut rest)?);
            let (min, max) = (i64::from_le_bytes(take(&mut rest)?), i64::from_le_bytes(take(&mut rest)?));
            let mut spans = Vec::new();
            while !rest.is_empty() {
                spans.push(Span {
                    offset: u64::from_le_bytes(take(&mut rest)?),
                    len: u32::from_le_bytes(take(&mut rest)?),
                    count: u32::from_le_bytes(take(&mut rest)?),
                    first_ordinal: u64::from_le_bytes(take(&mut rest)?),
                    min_ms: i64::from_le_bytes(take(&mut rest)?),
                    max_ms: i64::from_le_bytes(take(&mut rest)?),
                });
            }
            let bounds_ms = (min <= max).then_some((min, max));
            let next_ordinal = u64::from_le_bytes(next_ordinal);
            Some(Index { spans, end, next_ordinal, last_ingestion_ms, bounds_ms })
        }
    }

    fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        let (first, after) = rest.split_first_chunk()?;
        *rest = after;
        Some(*first)
    }
}
