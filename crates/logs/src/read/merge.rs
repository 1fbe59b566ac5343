//! The events of some streams in the order of their keys, read span by span.
//!
//! Spans are taken in the order of the time where they begin, each when the merge gets there; so
//! only spans that overlap at the present place are in memory, commonly one or two a stream.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use super::position::{Direction, EventKey};
use crate::error::LogsError;
use crate::segment::frame;
use crate::stream::{Segments, SpanRef, StreamId};

/// Which events to read.
#[derive(Clone, Debug)]
pub(crate) struct Query<'q> {
    pub(crate) streams: &'q [StreamId],
    /// Inclusive.
    pub(crate) from_ms: i64,
    /// Inclusive.
    pub(crate) until_ms: i64,
    pub(crate) direction: Direction,
    /// Where to start: see [`super::position::Token`]. `None`: at the range's near end.
    pub(crate) gap: Option<EventKey>,
}

/// An event with the bytes that it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) key: EventKey,
    pub(crate) ingestion_ms: i64,
    bytes: Arc<Vec<u8>>,
    message: Range<usize>,
}

impl Found {
    /// The message's text; empty when the stored bytes are no UTF-8, which no put can cause.
    pub(crate) fn message(&self) -> &str {
        std::str::from_utf8(&self.bytes[self.message.clone()]).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct Merge<'s> {
    segments: &'s Segments,
    query: Range<EventKey>,
    direction: Direction,
    /// In the order of reading, the next one last.
    waiting: Vec<SpanRef>,
    loaded: BinaryHeap<Cursor>,
    read_bytes: u64,
}

impl<'s> Merge<'s> {
    /// Finds the spans; reads nothing of them yet.
    pub(crate) fn new(segments: &'s Segments, query: &Query<'_>) -> Result<Merge<'s>, LogsError> {
        let low = EventKey::at(query.from_ms);
        let high = EventKey::at(query.until_ms.saturating_add(1));
        let range = match (query.direction, query.gap) {
            (Direction::Forward, Some(gap)) => low.max(gap)..high,
            (Direction::Backward, Some(gap)) => low..high.min(gap),
            (_, None) => low..high,
        };
        let mut waiting = Vec::new();
        if range.start < range.end {
            // The end's own time counts: keys with it may still be less than the end.
            let (from, until) = (range.start.timestamp_ms, range.end.timestamp_ms);
            waiting = segments.spans(query.streams, from, until)?;
        }
        match query.direction {
            Direction::Forward => waiting.sort_by_key(|span| std::cmp::Reverse(span.span.min_ms)),
            Direction::Backward => waiting.sort_by_key(|span| span.span.max_ms),
        }
        Ok(Merge {
            segments,
            query: range,
            direction: query.direction,
            waiting,
            loaded: BinaryHeap::new(),
            read_bytes: 0,
        })
    }

    /// The next event in the query's direction.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, LogsError> {
        while self.must_load() {
            let Some(span) = self.waiting.pop() else { break };
            self.load(&span)?;
        }
        let Some(mut cursor) = self.loaded.pop() else { return Ok(None) };
        let found = cursor.take();
        if cursor.has_more() {
            self.loaded.push(cursor);
        }
        Ok(Some(found))
    }

    /// How many bytes of segments were read so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Whether a waiting span may hold an event before the one at hand.
    fn must_load(&self) -> bool {
        let Some(waiting) = self.waiting.last() else { return false };
        let Some(near) = self.loaded.peek() else { return true };
        match self.direction {
            Direction::Forward => waiting.span.min_ms <= near.key().timestamp_ms,
            Direction::Backward => waiting.span.max_ms >= near.key().timestamp_ms,
        }
    }

    fn load(&mut self, span: &SpanRef) -> Result<(), LogsError> {
        let Some(bytes) = self.segments.read(span)? else { return Ok(()) };
        self.read_bytes += bytes.len() as u64;
        let stream = span.stream();
        let places =
            frame::decode(&bytes).map_err(|_| LogsError::Damaged { stream, offset: span.span.offset })?;
        let key = |place: &frame::Place| EventKey {
            timestamp_ms: place.timestamp_ms,
            stream,
            ordinal: place.ordinal,
        };
        let mut events: Vec<_> = places
            .into_iter()
            .map(|place| (key(&place), place.ingestion_ms, place.message))
            .filter(|(key, ..)| self.query.contains(key))
            .collect();
        // The next one last.
        events.sort_unstable_by(|(a, ..), (b, ..)| sooner(self.direction, *a, *b));
        if !events.is_empty() {
            let bytes = Arc::new(bytes);
            self.loaded.push(Cursor { direction: self.direction, bytes, events });
        }
        Ok(())
    }
}

/// The events that are left of a loaded span: never empty while it is in the heap.
#[derive(Debug)]
struct Cursor {
    direction: Direction,
    bytes: Arc<Vec<u8>>,
    /// Key, ingestion time, place of the message; the next one last.
    events: Vec<(EventKey, i64, Range<usize>)>,
}

impl Cursor {
    fn key(&self) -> EventKey {
        self.events.last().map(|(key, ..)| *key).unwrap_or_default()
    }

    fn has_more(&self) -> bool {
        !self.events.is_empty()
    }

    fn take(&mut self) -> Found {
        let (key, ingestion_ms, message) =
            self.events.pop().expect("a cursor is put into the heap only while it has events");
        Found { key, ingestion_ms, bytes: Arc::clone(&self.bytes), message }
    }
}

/// `Greater` when `a` comes sooner.
fn sooner(direction: Direction, a: EventKey, b: EventKey) -> Ordering {
    match direction {
        Direction::Forward => b.cmp(&a),
        Direction::Backward => a.cmp(&b),
    }
}

impl Ord for Cursor {
    fn cmp(&self, other: &Cursor) -> Ordering {
        sooner(self.direction, self.key(), other.key())
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Cursor) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Cursor) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cursor {}
