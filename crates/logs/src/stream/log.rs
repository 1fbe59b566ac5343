//! One stream: its segments, its end, and the puts that wait to be durable.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::files::{Files, Form, Found, SegmentId};
use super::{StreamId, Summary};
use crate::error::LogsError;
use crate::segment::frame::{self, Event, Header};
use crate::segment::index::{Index, Span};
use crate::segment::packed::Blocks;
use crate::segment::recover;

/// Resolves when the put is durable and readable.
pub(super) type Durable = oneshot::Receiver<Result<(), LogsError>>;

#[derive(Debug)]
pub(crate) struct StreamLog {
    id: StreamId,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nobody asked for the stream since the start: the segments as the directory lists them, by base.
    Unread(Vec<Found>),
    Open(Open),
    /// Deleted, or a write of unknown outcome: nothing is appended any more.
    Closed(Closed),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Closed {
    Deleted,
    Failed,
}

/// A segment of an open stream. Only what is durable is in its index.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base: u64,
    pub(super) index: Index,
    /// Where its blocks are, once it is packed.
    pub(super) packed: Option<Blocks>,
    /// Nothing is appended to it any more, however small it is.
    pub(super) sealed: bool,
}

impl Segment {
    /// Bytes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.packed.as_ref().map_or(self.index.end(), Blocks::file_len)
    }

    fn located(&self, stream: StreamId, position: usize, span: Span) -> Located {
        let block = self.packed.as_ref().and_then(|blocks| blocks.block(position));
        Located { segment: SegmentId { stream, base: self.base }, span, block }
    }
}

/// Where a span is: at its offset in the plain segment, or in a block of the packed one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) segment: SegmentId,
    pub(super) span: Span,
    pub(super) block: Option<(u64, u32)>,
}

#[derive(Debug, Default)]
pub(super) struct Open {
    /// By base.
    pub(super) segments: Vec<Segment>,
    /// How many of them have their index saved in a file: the first ones.
    pub(super) saved: usize,
    next_ordinal: u64,
    /// Where the stream ended when it was read from the disk: what came later came since the start.
    found_ordinal: u64,
    last_ingestion_ms: i64,
    /// Where the next frame goes in the last segment; ahead of its index by what isn't durable.
    pub(super) end: u64,
    unsynced: Unsynced,
    /// A syncer has this stream or will get it.
    pub(super) queued: bool,
}

/// What was written since the last sync.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    pub(super) parts: Vec<Part>,
    waiters: Vec<oneshot::Sender<Result<(), LogsError>>>,
    /// A segment was created: its name must be made durable too.
    pub(super) names: bool,
}

/// Frames in one segment. It holds the file open, because an error of writing back is told only to
/// who had the file open at the time.
#[derive(Debug)]
pub(super) struct Part {
    base: u64,
    pub(super) file: Arc<File>,
    frames: Vec<Header>,
}

/// A put that was written.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) next_ordinal: u64,
    pub(super) durable: Durable,
    /// Nobody will sync this stream unless the caller queues it now.
    pub(super) must_queue: bool,
}

impl StreamLog {
    pub(super) fn new(id: StreamId, mut found: Vec<Found>) -> StreamLog {
        found.sort_unstable();
        StreamLog { id, state: Mutex::new(State::Unread(found)) }
    }

    pub(super) fn id(&self) -> StreamId {
        self.id
    }

    /// Writes the events (not empty, in chronological order) behind the last one.
    pub(super) fn append(
        &self,
        files: &Files,
        segment_bytes: u64,
        events: &[Event<'_>],
        now_ms: i64,
    ) -> Result<Appended, LogsError> {
        let mut state = self.lock();
        let open = state.open(self.id, files)?;
        // A clock that was set back doesn't put an ingestion before the one that it follows.
        let ingestion_ms = now_ms.max(open.last_ingestion_ms);
        let mut bytes = Vec::new();
        let frames = frame::encode_put(&mut bytes, events, ingestion_ms, open.next_ordinal);
        match open.write(self.id, files, segment_bytes, &bytes, frames) {
            Ok(()) => {}
            Err(Failure::Undone(source)) => return Err(LogsError::Write { source }),
            Err(Failure::Torn(source)) => {
                *state = State::Closed(Closed::Failed);
                return Err(LogsError::Write { source });
            }
        }
        open.last_ingestion_ms = ingestion_ms;
        open.next_ordinal += events.len() as u64;
        let (sender, durable) = oneshot::channel();
        open.unsynced.waiters.push(sender);
        let must_queue = !std::mem::replace(&mut open.queued, true);
        Ok(Appended { next_ordinal: open.next_ordinal, durable, must_queue })
    }

    /// For a syncer: what to sync now. `None` when there is nothing; the stream then counts as not
    /// queued.
    pub(super) fn take_unsynced(&self) -> Option<Unsynced> {
        let mut state = self.lock();
        let State::Open(open) = &mut *state else { return None };
        if open.unsynced.parts.is_empty() {
            open.queued = false;
            return None;
        }
        Some(std::mem::take(&mut open.unsynced))
    }

    /// For a syncer: the outcome for what was taken. Puts are answered after they became readable.
    pub(super) fn synced(&self, work: Unsynced, outcome: &io::Result<()>) {
        let mut state = self.lock();
        match (outcome, &mut *state) {
            (Ok(()), State::Open(open)) => {
                for part in &work.parts {
                    let segment = open.segments.iter_mut().find(|segment| segment.base == part.base);
                    // Retention may have removed the segment meanwhile: then there's nothing to see.
                    if let Some(segment) = segment {
                        part.frames.iter().for_each(|frame| segment.index.push(frame));
                    }
                }
            }
            (Ok(()), _) => {}
            // After a failed fsync the kernel may have dropped the pages: appending behind them
            // would leave a hole. The next start reads what really is on the disk.
            (Err(_), State::Open(open)) => {
                let later = std::mem::take(&mut open.unsynced.waiters);
                later.into_iter().for_each(|waiter| drop(waiter.send(Err(LogsError::Failed))));
                *state = State::Closed(Closed::Failed);
            }
            (Err(_), _) => {}
        }
        drop(state);
        for waiter in work.waiters {
            let answer = match outcome {
                Ok(()) => Ok(()),
                Err(error) => {
                    Err(LogsError::Sync { source: io::Error::new(error.kind(), error.to_string()) })
                }
            };
            // A client that went away doesn't wait for its answer.
            let _ = waiter.send(answer);
        }
    }

    /// For a syncer: saves the indexes of segments that got full. That it fails does no harm.
    pub(super) fn save_indexes(&self, files: &Files) {
        let full: Vec<(SegmentId, Vec<u8>)> = match &mut *self.lock() {
            State::Open(open) => {
                // Behind the one that is appended to nothing is full; a put that isn't durable yet
                // may still end the one before it.
                let unsynced = |base: u64| open.unsynced.parts.iter().any(|part| part.base == base);
                let full = open.segments.len().saturating_sub(1);
                let ready = open.segments[open.saved.min(full)..full]
                    .iter()
                    .take_while(|segment| !unsynced(segment.base));
                let count = ready.clone().count();
                // A packed one has its index within.
                let plain = ready.filter(|segment| segment.packed.is_none());
                let id = |segment: &Segment| SegmentId { stream: self.id, base: segment.base };
                let ready = plain.map(|segment| (id(segment), segment.index.encode())).collect();
                open.saved += count;
                ready
            }
            State::Unread(_) | State::Closed(_) => return,
        };
        for (id, bytes) in full {
            if let Err(error) = files.write_index(id, &bytes) {
                tracing::warn!(%error, stream = id.stream.stream, "a log segment's index can't be saved");
            }
        }
    }

    /// The durable spans with events in `from_ms..=until_ms`.
    pub(super) fn spans(
        &self,
        files: &Files,
        from_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<Located>, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id, files) {
            // Deleted between the look-up and now: nothing to see.
            Err(LogsError::StreamGone) => return Ok(Vec::new()),
            other => other?,
        };
        let within = |(min, max): (i64, i64)| max >= from_ms && min <= until_ms;
        let mut spans = Vec::new();
        for segment in &open.segments {
            if segment.index.bounds_ms().is_some_and(within) {
                let all = segment.index.spans().iter().enumerate();
                let inside = all.filter(|(_, span)| within((span.min_ms, span.max_ms)));
                spans.extend(inside.map(|(position, span)| segment.located(self.id, position, *span)));
            }
        }
        Ok(spans)
    }

    /// The durable spans with events from the ordinal `from` on, and where the durable events end.
    /// `None`: from where the stream ended when this process first touched it. A stream that nobody
    /// touched yet has nothing new, and isn't read for that.
    pub(super) fn since(&self, from: Option<u64>) -> Option<(u64, Vec<Located>, u64)> {
        let state = self.lock();
        let State::Open(open) = &*state else { return None };
        let from = from.unwrap_or(open.found_ordinal);
        let end = open.segments.last().map_or(open.next_ordinal, |segment| segment.index.next_ordinal());
        let mut spans = Vec::new();
        for segment in open.segments.iter().rev().take_while(|segment| segment.index.next_ordinal() > from) {
            let new = segment.index.spans().iter().enumerate().rev();
            let new = new.take_while(|(_, span)| span.first_ordinal + u64::from(span.count) > from);
            spans.extend(new.map(|(position, span)| segment.located(self.id, position, *span)));
        }
        spans.reverse();
        Some((from, spans, end))
    }

    /// Where the span that begins at this offset is now, with all of what it grew to. `None` when the
    /// segment is gone.
    pub(super) fn locate(&self, base: u64, offset: u64) -> Option<Located> {
        let state = self.lock();
        let State::Open(open) = &*state else { return None };
        let segment = open.segments.iter().find(|segment| segment.base == base)?;
        let spans = segment.index.spans();
        let position = spans.binary_search_by_key(&offset, |span| span.offset).ok()?;
        Some(segment.located(self.id, position, spans[position]))
    }

    pub(super) fn summary(&self, files: &Files) -> Result<Summary, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id, files) {
            Err(LogsError::StreamGone) => return Ok(Summary::default()),
            other => other?,
        };
        let mut summary = Summary { next_ordinal: open.next_ordinal, ..Summary::default() };
        for index in open.segments.iter().map(|segment| &segment.index) {
            let Some((min, max)) = index.bounds_ms() else { continue };
            let (first, last) = summary.bounds_ms.unwrap_or((min, max));
            summary.bounds_ms = Some((first.min(min), last.max(max)));
            summary.last_ingestion_ms = summary.last_ingestion_ms.max(Some(index.last_ingestion_ms()));
        }
        Ok(summary)
    }

    /// Bytes on the disk. Doesn't read a stream that nobody asked for yet.
    pub(super) fn bytes(&self) -> u64 {
        match &*self.lock() {
            State::Unread(found) => found.iter().map(|found| found.len).sum(),
            State::Open(open) => open.segments.iter().map(Segment::bytes).sum(),
            State::Closed(_) => 0,
        }
    }

    /// Ends the stream; its segments are to be removed by the caller.
    pub(super) fn close(&self) -> Vec<SegmentId> {
        let mut state = self.lock();
        let bases: Vec<u64> = match &*state {
            State::Unread(found) => found.iter().map(|found| found.base).collect(),
            State::Open(open) => open.segments.iter().map(|segment| segment.base).collect(),
            State::Closed(_) => Vec::new(),
        };
        *state = State::Closed(Closed::Deleted);
        bases.into_iter().map(|base| SegmentId { stream: self.id, base }).collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a write failed.
enum Failure {
    /// The file is as it was.
    Undone(io::Error),
    /// Part of the write may still be there.
    Torn(io::Error),
}

impl State {
    /// The stream, read from the disk when this is the first time.
    pub(super) fn open(&mut self, id: StreamId, files: &Files) -> Result<&mut Open, LogsError> {
        if let State::Unread(found) = self {
            *self = State::Open(Open::read(id, files, found)?);
        }
        match self {
            State::Open(open) => Ok(open),
            State::Closed(Closed::Failed) => Err(LogsError::Failed),
            State::Closed(Closed::Deleted) | State::Unread(_) => Err(LogsError::StreamGone),
        }
    }
}

impl Open {
    fn read(id: StreamId, files: &Files, all: &[Found]) -> Result<Open, LogsError> {
        let mut open = Open::default();
        let read = |source| LogsError::Read { source };
        for (position, found) in all.iter().enumerate() {
            let segment = SegmentId { stream: id, base: found.base };
            let ends_stream = position + 1 == all.len();
            if found.form == Form::Packed {
                match files.read_packed(segment).map_err(read)? {
                    Some((index, blocks)) => open.add_saved(found.base, index, Some(blocks)),
                    None => {
                        tracing::error!(stream = id.stream, segment = found.base, "a log segment is damaged");
                        // However many ordinals it had, they aren't given again.
                        open.next_ordinal = found.base.saturating_add(1 << 32);
                    }
                }
            } else if let Some(index) = saved_index(files, segment).filter(|_| !ends_stream) {
                open.add_saved(found.base, index, None);
            } else {
                let file = files.get(segment).map_err(read)?;
                let (index, cut) = read_segment(&file, found.base, ends_stream).map_err(read)?;
                if cut > 0 {
                    tracing::warn!(
                        stream = id.stream,
                        segment = found.base,
                        bytes = cut,
                        "a log segment doesn't end with a whole put; what follows the last one is left out"
                    );
                }
                open.add(found.base, index, None);
            }
        }
        open.found_ordinal = open.next_ordinal;
        Ok(open)
    }

    /// Adds a segment whose index was found in a file.
    fn add_saved(&mut self, base: u64, index: Index, packed: Option<Blocks>) {
        self.saved += usize::from(self.saved == self.segments.len());
        self.add(base, index, packed);
    }

    fn add(&mut self, base: u64, index: Index, packed: Option<Blocks>) {
        self.next_ordinal = index.next_ordinal();
        self.last_ingestion_ms = self.last_ingestion_ms.max(index.last_ingestion_ms());
        self.end = index.end();
        self.segments.push(Segment { base, index, packed, sealed: false });
    }

    fn write(
        &mut self,
        id: StreamId,
        files: &Files,
        segment_bytes: u64,
        bytes: &[u8],
        frames: Vec<Header>,
    ) -> Result<(), Failure> {
        let (base, file) = self.active(id, files, segment_bytes).map_err(Failure::Undone)?;
        if let Err(error) = file.write_all_at(bytes, self.end) {
            return match file.set_len(self.end) {
                Ok(()) => Err(Failure::Undone(error)),
                Err(_) => Err(Failure::Torn(error)),
            };
        }
        self.end += bytes.len() as u64;
        match self.unsynced.parts.last_mut() {
            Some(part) if part.base == base => part.frames.extend(frames),
            _ => self.unsynced.parts.push(Part { base, file, frames }),
        }
        Ok(())
    }

    /// Whether something was written that isn't durable yet.
    pub(super) fn is_dirty(&self) -> bool {
        self.queued || !self.unsynced.parts.is_empty()
    }

    pub(super) fn last_ingestion_ms(&self) -> i64 {
        self.last_ingestion_ms
    }

    /// The segment to append to: the last one, or a new one when that is full or sealed.
    fn active(&mut self, id: StreamId, files: &Files, segment_bytes: u64) -> io::Result<(u64, Arc<File>)> {
        if let Some(last) = self.segments.last()
            && self.end < segment_bytes
            && !last.sealed
            && last.packed.is_none()
        {
            return Ok((last.base, files.get(SegmentId { stream: id, base: last.base })?));
        }
        let base = self.next_ordinal;
        let file = files.create(SegmentId { stream: id, base })?;
        self.segments.push(Segment { base, index: Index::new(base), packed: None, sealed: false });
        self.end = 0;
        self.unsynced.names = true;
        Ok((base, file))
    }
}

/// The index that was saved when the segment got full, if it fits the segment.
fn saved_index(files: &Files, id: SegmentId) -> Option<Index> {
    let index = Index::decode(&files.read_index(id)?)?;
    let len = files.get(id).and_then(|file| file.metadata()).ok()?.len();
    (index.end() == len).then_some(index)
}

/// A segment's index, and how many bytes follow its last whole put. In the segment that will be
/// appended to they are cut off; in an older one, where they would be damage, they are left alone.
fn read_segment(file: &File, base: u64, ends_stream: bool) -> io::Result<(Index, u64)> {
    let len = file.metadata()?.len();
    let index = recover::scan(BufReader::with_capacity(256 << 10, FromStart { file, at: 0 }), base)?;
    let cut = len - index.end().min(len);
    if cut > 0 && ends_stream {
        file.set_len(index.end())?;
        file.sync_data()?;
    }
    Ok((index, cut))
}

/// Reads a shared file without moving its position.
struct FromStart<'f> {
    file: &'f File,
    at: u64,
}

impl io::Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
