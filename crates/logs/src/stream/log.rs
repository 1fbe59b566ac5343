//! One stream: its segments, its end, and the puts that wait to be durable.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::files::{Files, SegmentId};
use super::{StreamId, Summary};
use crate::error::LogsError;
use crate::segment::frame::{self, Event, Header};
use crate::segment::index::{Index, Span};
use crate::segment::recover;

/// Resolves when the put is durable and readable.
pub(super) type Durable = oneshot::Receiver<Result<(), LogsError>>;

#[derive(Debug)]
pub(crate) struct StreamLog {
    id: StreamId,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nobody asked for the stream since the start: the segments as the directory lists them, by
    /// base, each with its length.
    Unread(Vec<(u64, u64)>),
    Open(Open),
    /// Deleted, or a write of unknown outcome: nothing is appended any more.
    Closed(Closed),
}

#[derive(Clone, Copy, Debug)]
enum Closed {
    Deleted,
    Failed,
}

#[derive(Debug, Default)]
struct Open {
    /// By base. Only what is durable is in an index.
    segments: Vec<(u64, Index)>,
    /// How many of them have their index saved in a file: the first ones.
    saved: usize,
    next_ordinal: u64,
    last_ingestion_ms: i64,
    /// Where the next frame goes in the last segment; ahead of its index by what isn't durable.
    end: u64,
    unsynced: Unsynced,
    /// A syncer has this stream or will get it.
    queued: bool,
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
    pub(super) fn new(id: StreamId, mut found: Vec<(u64, u64)>) -> StreamLog {
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
                    let segment = open.segments.iter_mut().find(|(base, _)| *base == part.base);
                    // Retention may have removed the segment meanwhile: then there's nothing to see.
                    if let Some((_, index)) = segment {
                        part.frames.iter().for_each(|frame| index.push(frame));
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
                let ready: Vec<_> = open.segments[open.saved.min(full)..full]
                    .iter()
                    .take_while(|(base, _)| !unsynced(*base))
                    .map(|(base, index)| (SegmentId { stream: self.id, base: *base }, index.encode()))
                    .collect();
                open.saved += ready.len();
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

    /// The durable spans with events in `from_ms..=until_ms`, each with its segment.
    pub(super) fn spans(
        &self,
        files: &Files,
        from_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<(SegmentId, Span)>, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id, files) {
            // Deleted between the look-up and now: nothing to see.
            Err(LogsError::StreamGone) => return Ok(Vec::new()),
            other => other?,
        };
        let within = |(min, max): (i64, i64)| max >= from_ms && min <= until_ms;
        let mut spans = Vec::new();
        for (base, index) in &open.segments {
            if index.bounds_ms().is_some_and(within) {
                let id = SegmentId { stream: self.id, base: *base };
                let inside = index.spans().iter().filter(|span| within((span.min_ms, span.max_ms)));
                spans.extend(inside.map(|span| (id, *span)));
            }
        }
        Ok(spans)
    }

    pub(super) fn summary(&self, files: &Files) -> Result<Summary, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id, files) {
            Err(LogsError::StreamGone) => return Ok(Summary::default()),
            other => other?,
        };
        let mut summary = Summary { next_ordinal: open.next_ordinal, ..Summary::default() };
        for (_, index) in &open.segments {
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
            State::Unread(found) => found.iter().map(|(_, len)| len).sum(),
            State::Open(open) => open.segments.iter().map(|(_, index)| index.end()).sum(),
            State::Closed(_) => 0,
        }
    }

    /// Removes the segments whose last event is older than `before_ms`, and answers how many. The
    /// segment that is being appended to stays while a put is under way.
    pub(super) fn expire(&self, files: &Files, before_ms: i64) -> Result<usize, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id, files) {
            Err(LogsError::StreamGone) => return Ok(0),
            other => other?,
        };
        if open.queued {
            return Ok(0);
        }
        let expired = |index: &Index| index.bounds_ms().is_some_and(|(_, max)| max < before_ms);
        let mut removed = 0;
        let mut failed = None;
        let (mut position, mut saved) = (0, open.saved);
        open.segments.retain(|(base, index)| {
            position += 1;
            if failed.is_some() || !expired(index) {
                return true;
            }
            match files.remove(SegmentId { stream: self.id, base: *base }) {
                Ok(()) => {
                    removed += 1;
                    saved -= usize::from(position <= open.saved);
                }
                Err(source) => failed = Some(source),
            }
            failed.is_some()
        });
        open.saved = saved;
        open.end = open.segments.last().map_or(0, |(_, index)| index.end());
        match failed {
            Some(source) => Err(LogsError::Remove { source }),
            None => Ok(removed),
        }
    }

    /// Ends the stream; its segments are to be removed by the caller.
    pub(super) fn close(&self) -> Vec<SegmentId> {
        let mut state = self.lock();
        let bases: Vec<u64> = match &*state {
            State::Unread(found) => found.iter().map(|(base, _)| *base).collect(),
            State::Open(open) => open.segments.iter().map(|(base, _)| *base).collect(),
            State::Closed(_) => Vec::new(),
        };
        *state = State::Closed(Closed::Deleted);
        bases.into_iter().map(|base| SegmentId { stream: self.id, base }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
    fn open(&mut self, id: StreamId, files: &Files) -> Result<&mut Open, LogsError> {
        if let State::Unread(found) = self {
            let bases: Vec<u64> = found.iter().map(|(base, _)| *base).collect();
            *self = State::Open(Open::read(id, files, &bases)?);
        }
        match self {
            State::Open(open) => Ok(open),
            State::Closed(Closed::Failed) => Err(LogsError::Failed),
            State::Closed(Closed::Deleted) | State::Unread(_) => Err(LogsError::StreamGone),
        }
    }
}

impl Open {
    fn read(id: StreamId, files: &Files, bases: &[u64]) -> Result<Open, LogsError> {
        let mut open = Open::default();
        for (position, base) in bases.iter().enumerate() {
            let ends_stream = position + 1 == bases.len();
            if !ends_stream && let Some(index) = saved_index(files, SegmentId { stream: id, base: *base }) {
                open.saved += usize::from(open.saved == position);
                open.add(*base, index);
                continue;
            }
            let file = files
                .get(SegmentId { stream: id, base: *base })
                .map_err(|source| LogsError::Read { source })?;
            let (index, cut) =
                read_segment(&file, *base, ends_stream).map_err(|source| LogsError::Read { source })?;
            if cut > 0 {
                tracing::warn!(
                    stream = id.stream,
                    segment = base,
                    bytes = cut,
                    "a log segment doesn't end with a whole put; what follows the last one is left out"
                );
            }
            open.add(*base, index);
        }
        Ok(open)
    }

    fn add(&mut self, base: u64, index: Index) {
        self.next_ordinal = index.next_ordinal();
        self.last_ingestion_ms = self.last_ingestion_ms.max(index.last_ingestion_ms());
        self.end = index.end();
        self.segments.push((base, index));
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

    /// The segment to append to: the last one, or a new one when that is full.
    fn active(&mut self, id: StreamId, files: &Files, segment_bytes: u64) -> io::Result<(u64, Arc<File>)> {
        if let Some((base, _)) = self.segments.last()
            && self.end < segment_bytes
        {
            return Ok((*base, files.get(SegmentId { stream: id, base: *base })?));
        }
        let base = self.next_ordinal;
        let file = files.create(SegmentId { stream: id, base })?;
        self.segments.push((base, Index::new(base)));
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
