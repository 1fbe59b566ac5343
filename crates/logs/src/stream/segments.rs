//! All streams' segments: the door to this folder.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{Files, Form, Found, SegmentId};
use super::keep::Quiet;
use super::log::{Durable, Located, StreamLog};
use super::syncer::Syncer;
use super::{StreamId, Summary};
use crate::error::LogsError;
use crate::segment::frame::Event;
use crate::segment::index::Span;
use crate::segment::packed;

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) root: PathBuf,
    /// A segment that reached this many bytes gets no further put.
    pub(crate) segment_bytes: u64,
    /// How many segment files are kept open.
    pub(crate) open_files: usize,
    pub(crate) quiet: Quiet,
}

#[derive(Debug)]
pub(crate) struct Segments {
    options: Options,
    files: Arc<Files>,
    streams: Mutex<Streams>,
    syncer: Syncer,
    appended_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Streams {
    logs: HashMap<StreamId, Arc<StreamLog>>,
    /// Deleted since the start: a put that looked its stream up before must not make it again.
    gone: HashSet<StreamId>,
}

/// A written put: where it ends, and the promise of its durability.
#[derive(Debug)]
pub(crate) struct Put {
    /// The number of the event that will follow.
    pub(crate) next_ordinal: u64,
    durable: Durable,
}

impl Put {
    /// Waits until the put survives a crash, and readers see it.
    pub(crate) async fn durable(self) -> Result<(), LogsError> {
        // The sender goes away unanswered only when the stream was deleted under the put.
        self.durable.await.unwrap_or(Err(LogsError::StreamGone))
    }
}

/// Where the bytes of some events are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanRef {
    located: Located,
    pub(crate) span: Span,
}

/// Events `from..end` of a stream, counted as ordinals, lie in these spans; the first one may begin
/// with earlier ones.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) from: u64,
    pub(crate) end: u64,
    pub(crate) spans: Vec<SpanRef>,
}

impl SpanRef {
    fn new(located: Located) -> SpanRef {
        SpanRef { located, span: located.span }
    }

    pub(crate) fn stream(&self) -> u64 {
        self.located.segment.stream.stream
    }
}

impl Segments {
    /// Lists what there is; `live` says which streams still have metadata, the others are removed.
    /// Nothing is read before somebody asks for it.
    pub(crate) fn open(options: Options, live: impl Fn(StreamId) -> bool) -> Result<Segments, LogsError> {
        fs::create_dir_all(&options.root).map_err(|source| LogsError::Directory { source })?;
        let files = Arc::new(Files::new(options.root.clone(), options.open_files));
        let list = |source| LogsError::Directory { source };
        let mut found: HashMap<StreamId, Vec<Found>> = HashMap::new();
        for group in files.groups().map_err(list)? {
            let mut empty = true;
            for (stream, file) in files.list(group).map_err(list)? {
                if live(stream) {
                    found.entry(stream).or_default().push(file);
                    empty = false;
                } else {
                    let segment = SegmentId { stream, base: file.base };
                    files.remove(segment).map_err(|source| LogsError::Remove { source })?;
                }
            }
            if empty {
                files.remove_group(group).map_err(|source| LogsError::Remove { source })?;
            }
        }
        for (stream, found) in &mut found {
            settle(&files, *stream, found)?;
        }
        let open = |(id, segments)| (id, Arc::new(StreamLog::new(id, segments)));
        let streams = Streams { logs: found.into_iter().map(open).collect(), gone: HashSet::new() };
        let syncer = Syncer::start(&files)?;
        Ok(Segments {
            options,
            files,
            streams: Mutex::new(streams),
            syncer,
            appended_bytes: AtomicU64::new(0),
        })
    }

    /// Writes the events (not empty, in chronological order). Blocks on the disk, not on its sync.
    pub(crate) fn append(&self, id: StreamId, events: &[Event<'_>], now_ms: i64) -> Result<Put, LogsError> {
        let log = self.log(id)?;
        let appended = log.append(&self.files, self.options.segment_bytes, events, now_ms)?;
        let bytes = events.iter().map(|event| event.message.len() as u64).sum();
        self.appended_bytes.fetch_add(bytes, Ordering::Relaxed);
        if appended.must_queue {
            self.syncer.queue(log);
        }
        Ok(Put { next_ordinal: appended.next_ordinal, durable: appended.durable })
    }

    /// Spans of the streams with events in `from_ms..=until_ms`, in no order.
    pub(crate) fn spans(
        &self,
        streams: &[StreamId],
        from_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<SpanRef>, LogsError> {
        let mut all = Vec::new();
        for log in streams.iter().filter_map(|id| self.existing(*id)) {
            let spans = log.spans(&self.files, from_ms, until_ms)?;
            all.extend(spans.into_iter().map(SpanRef::new));
        }
        Ok(all)
    }

    /// What became durable in a stream from the ordinal `from` on, oldest first: see [`News`]. `None`:
    /// nobody touched the stream since the start, so nothing did.
    pub(crate) fn since(&self, id: StreamId, from: Option<u64>) -> Option<News> {
        let (from, spans, end) = self.existing(id)?.since(from)?;
        Some(News { from, spans: spans.into_iter().map(SpanRef::new).collect(), end })
    }

    /// The bytes of a span. `None` when the segment was removed meanwhile.
    pub(crate) fn read(&self, span: &SpanRef) -> Result<Option<Vec<u8>>, LogsError> {
        let mut at = span.located;
        loop {
            match self.read_at(&at) {
                Ok(mut bytes) => {
                    // It may have grown since the caller got to know it, by whole frames.
                    bytes.truncate(span.span.len as usize);
                    return Ok(Some(bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // Removed, or packed: then it is somewhere else now.
                    let log = self.existing(at.segment.stream);
                    match log.and_then(|log| log.locate(at.segment.base, at.span.offset)) {
                        Some(now) if now.block != at.block => at = now,
                        _ => return Ok(None),
                    }
                }
                Err(source) => return Err(LogsError::Read { source }),
            }
        }
    }

    fn read_at(&self, at: &Located) -> io::Result<Vec<u8>> {
        let (file, offset, len) = match at.block {
            None => (self.files.get(at.segment)?, at.span.offset, at.span.len),
            Some((offset, len)) => (self.files.get_packed(at.segment)?, offset, len),
        };
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, offset)?;
        if at.block.is_some() { packed::unpack(&bytes, at.span.len) } else { Ok(bytes) }
    }

    /// Packs every segment that is ready for it, and answers how many. A stream that fails doesn't
    /// keep the others from it.
    pub(crate) fn pack(&self, now_ms: i64) -> Result<usize, LogsError> {
        let mut packed = 0;
        let mut failed = Ok(());
        for log in self.all() {
            loop {
                match log.pack_one(&self.files, self.options.quiet, now_ms) {
                    Ok(true) => packed += 1,
                    Ok(false) => break,
                    Err(error) => {
                        failed = Err(error);
                        break;
                    }
                }
            }
        }
        failed.map(|()| packed)
    }

    /// Gives up the oldest segments until all together have no more than `limit` bytes. Answers the
    /// streams that lost events, each with the time of its last lost one.
    pub(crate) fn limit(&self, limit: u64) -> Result<Vec<(StreamId, i64)>, LogsError> {
        let logs = self.all();
        let mut total: u64 = logs.iter().map(|log| log.bytes()).sum();
        let mut given_up = Vec::new();
        if total <= limit {
            return Ok(given_up);
        }
        let mut pieces: Vec<_> = logs.iter().flat_map(|log| log.pieces()).collect();
        pieces.sort_unstable_by_key(|piece| (piece.last_ms, piece.id.stream, piece.id.base));
        for piece in pieces {
            if total <= limit {
                break;
            }
            let Some(log) = self.existing(piece.id.stream) else { continue };
            if log.give_up(&self.files, piece.id.base)? {
                total = total.saturating_sub(piece.bytes);
                given_up.push((piece.id.stream, piece.last_ms));
            }
        }
        Ok(given_up)
    }

    /// Bytes that were appended since the start.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes.load(Ordering::Relaxed)
    }

    fn all(&self) -> Vec<Arc<StreamLog>> {
        self.lock().logs.values().cloned().collect()
    }

    pub(crate) fn summary(&self, id: StreamId) -> Result<Summary, LogsError> {
        match self.existing(id) {
            Some(log) => log.summary(&self.files),
            None => Ok(Summary::default()),
        }
    }

    /// Bytes on the disk, framing included.
    pub(crate) fn bytes(&self, streams: impl IntoIterator<Item = StreamId>) -> u64 {
        streams.into_iter().filter_map(|id| self.existing(id)).map(|log| log.bytes()).sum()
    }

    /// Removes a stream's whole segments older than `before_ms`.
    pub(crate) fn expire(&self, id: StreamId, before_ms: i64) -> Result<usize, LogsError> {
        self.existing(id).map_or(Ok(0), |log| log.expire(&self.files, before_ms))
    }

    /// Removes streams whose metadata is gone.
    pub(crate) fn remove(&self, streams: &[StreamId]) -> Result<(), LogsError> {
        for id in streams {
            let log = {
                let mut all = self.lock();
                all.gone.insert(*id);
                all.logs.remove(id)
            };
            for segment in log.into_iter().flat_map(|log| log.close()) {
                self.files.remove(segment).map_err(|source| LogsError::Remove { source })?;
            }
        }
        Ok(())
    }

    /// Removes the directory of a group whose streams were removed.
    pub(crate) fn remove_group(&self, group: u64) -> Result<(), LogsError> {
        self.files.remove_group(group).map_err(|source| LogsError::Remove { source })
    }

    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.files.open_count()
    }

    fn existing(&self, id: StreamId) -> Option<Arc<StreamLog>> {
        self.lock().logs.get(&id).cloned()
    }

    fn log(&self, id: StreamId) -> Result<Arc<StreamLog>, LogsError> {
        let mut streams = self.lock();
        if streams.gone.contains(&id) {
            return Err(LogsError::StreamGone);
        }
        let log = streams.logs.entry(id).or_insert_with(|| Arc::new(StreamLog::new(id, Vec::new())));
        Ok(Arc::clone(log))
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves one file of each segment.
fn settle(files: &Files, stream: StreamId, found: &mut Vec<Found>) -> Result<(), LogsError> {
    found.sort_unstable();
    let both = found.chunk_by(|a, b| a.base == b.base).filter(|files| files.len() > 1);
    let both: Vec<u64> = both.map(|files| files[0].base).collect();
    for base in both {
        let id = SegmentId { stream, base };
        let kept: Form = files.settle(id).map_err(|source| LogsError::Remove { source })?;
        found.retain(|file| file.base != base || file.form == kept);
    }
    Ok(())
}
