//! All streams' segments: the door to this folder.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::files::{Files, SegmentId};
use super::log::{Durable, StreamLog};
use super::syncer::Syncer;
use super::{StreamId, Summary};
use crate::error::LogsError;
use crate::segment::frame::Event;
use crate::segment::index::Span;

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) root: PathBuf,
    /// A segment that reached this many bytes gets no further put.
    pub(crate) segment_bytes: u64,
    /// How many segment files are kept open.
    pub(crate) open_files: usize,
}

#[derive(Debug)]
pub(crate) struct Segments {
    options: Options,
    files: Arc<Files>,
    streams: Mutex<Streams>,
    syncer: Syncer,
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
    segment: SegmentId,
    pub(crate) span: Span,
}

impl SpanRef {
    pub(crate) fn stream(&self) -> u64 {
        self.segment.stream.stream
    }
}

impl Segments {
    /// Lists what there is; `live` says which streams still have metadata, the others are removed.
    /// Nothing is read before somebody asks for it.
    pub(crate) fn open(options: Options, live: impl Fn(StreamId) -> bool) -> Result<Segments, LogsError> {
        fs::create_dir_all(&options.root).map_err(|source| LogsError::Directory { source })?;
        let files = Arc::new(Files::new(options.root.clone(), options.open_files));
        let list = |source| LogsError::Directory { source };
        let mut found: HashMap<StreamId, Vec<(u64, u64)>> = HashMap::new();
        for group in files.groups().map_err(list)? {
            let mut empty = true;
            for (segment, len) in files.list(group).map_err(list)? {
                if live(segment.stream) {
                    found.entry(segment.stream).or_default().push((segment.base, len));
                    empty = false;
                } else {
                    files.remove(segment).map_err(|source| LogsError::Remove { source })?;
                }
            }
            if empty {
                files.remove_group(group).map_err(|source| LogsError::Remove { source })?;
            }
        }
        let open = |(id, segments)| (id, Arc::new(StreamLog::new(id, segments)));
        let streams = Streams { logs: found.into_iter().map(open).collect(), gone: HashSet::new() };
        let syncer = Syncer::start(&files)?;
        Ok(Segments { options, files, streams: Mutex::new(streams), syncer })
    }

    /// Writes the events (not empty, in chronological order). Blocks on the disk, not on its sync.
    pub(crate) fn append(&self, id: StreamId, events: &[Event<'_>], now_ms: i64) -> Result<Put, LogsError> {
        let log = self.log(id)?;
        let appended = log.append(&self.files, self.options.segment_bytes, events, now_ms)?;
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
            all.extend(spans.into_iter().map(|(segment, span)| SpanRef { segment, span }));
        }
        Ok(all)
    }

    /// The bytes of a span. `None` when the segment was removed meanwhile.
    pub(crate) fn read(&self, span: &SpanRef) -> Result<Option<Vec<u8>>, LogsError> {
        let file = match self.files.get(span.segment) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|source| LogsError::Read { source })?,
        };
        let mut bytes = vec![0; span.span.len as usize];
        file.read_exact_at(&mut bytes, span.span.offset).map_err(|source| LogsError::Read { source })?;
        Ok(Some(bytes))
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
