//! What becomes of a stream's segments that nothing is appended to: packed, expired, or given up for
//! newer ones.

use super::files::{Files, Form, SegmentId};
use super::log::{Open, Segment, State, StreamLog};
use crate::error::LogsError;
use crate::segment::index::Index;

/// When the segment that is appended to is packed nevertheless: what comes then begins another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quiet {
    /// It has so many bytes,
    pub(crate) bytes: u64,
    /// and for so long nothing came.
    pub(crate) ms: i64,
}

/// A segment that may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: SegmentId,
    pub(super) bytes: u64,
    /// When its last event came.
    pub(super) last_ms: i64,
}

impl StreamLog {
    /// Packs the first segment that is ready for it. `false`: there is none.
    ///
    /// Whatever happens in between, one whole file of the segment is there: the plain one goes only
    /// when the packed one is durable under its name.
    pub(super) fn pack_one(&self, files: &Files, quiet: Quiet, now_ms: i64) -> Result<bool, LogsError> {
        let Some((id, index)) = self.packable(files, quiet, now_ms)? else { return Ok(false) };
        let blocks = files.pack(id, &index).map_err(|source| LogsError::Write { source })?;
        let mut state = self.lock();
        let segment = match &mut *state {
            State::Open(open) => open.segments.iter_mut().find(|segment| segment.base == id.base),
            State::Unread(_) | State::Closed(_) => None,
        };
        let removed = match segment {
            Some(segment) => {
                segment.packed = Some(blocks);
                files.remove_plain(id)
            }
            // Expired or deleted meanwhile.
            None => files.remove(id),
        };
        removed.map_err(|source| LogsError::Remove { source })?;
        Ok(true)
    }

    fn packable(
        &self,
        files: &Files,
        quiet: Quiet,
        now_ms: i64,
    ) -> Result<Option<(SegmentId, Index)>, LogsError> {
        let mut state = self.lock();
        if let State::Unread(found) = &*state {
            let mut plain = found.iter().filter(|found| found.form == Form::Plain);
            let count = found.len();
            let worth = |len: u64| count > 1 || len >= quiet.bytes;
            if !plain.any(|found| worth(found.len)) {
                return Ok(None);
            }
        }
        let open = match state.open(self.id(), files) {
            Err(LogsError::StreamGone | LogsError::Failed) => return Ok(None),
            other => other?,
        };
        let long_ago = now_ms.saturating_sub(quiet.ms);
        let at_rest = !open.is_dirty() && open.last_ingestion_ms() <= long_ago;
        let full = open.segments.len().saturating_sub(1);
        let Open { segments, saved, .. } = open;
        let ready = segments.iter_mut().enumerate().find(|(position, segment)| {
            let ended = *position < full.min(*saved);
            let quiet = at_rest && segment.index.end() >= quiet.bytes;
            segment.packed.is_none() && !segment.index.spans().is_empty() && (ended || quiet)
        });
        Ok(ready.map(|(_, segment)| {
            segment.sealed = true;
            (SegmentId { stream: self.id(), base: segment.base }, segment.index.clone())
        }))
    }

    /// Removes the segments whose last event is older than `before_ms`, and answers how many. The
    /// segment that is being appended to stays while a put is under way.
    pub(super) fn expire(&self, files: &Files, before_ms: i64) -> Result<usize, LogsError> {
        let mut state = self.lock();
        let open = match state.open(self.id(), files) {
            Err(LogsError::StreamGone) => return Ok(0),
            other => other?,
        };
        if open.queued {
            return Ok(0);
        }
        let expired = |segment: &Segment| segment.index.bounds_ms().is_some_and(|(_, max)| max < before_ms);
        self.remove_where(files, open, expired)
    }

    /// What could be given up: all but what is being appended to.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let piece =
            |base, bytes, last_ms| Piece { id: SegmentId { stream: self.id(), base }, bytes, last_ms };
        match &*self.lock() {
            State::Unread(found) => {
                found.iter().map(|found| piece(found.base, found.len, found.modified_ms)).collect()
            }
            State::Open(open) => {
                let spared = usize::from(open.is_dirty());
                let ended = open.segments.iter().rev().skip(spared);
                ended
                    .map(|segment| piece(segment.base, segment.bytes(), segment.index.last_ingestion_ms()))
                    .collect()
            }
            State::Closed(_) => Vec::new(),
        }
    }

    /// Removes a segment, whatever is in it; not the one that is being appended to. Answers whether
    /// it did.
    pub(super) fn give_up(&self, files: &Files, base: u64) -> Result<bool, LogsError> {
        let mut state = self.lock();
        if let State::Unread(found) = &mut *state
            && found.last().is_some_and(|last| last.base != base)
        {
            // What follows tells where the stream goes on: no need to read it.
            let id = SegmentId { stream: self.id(), base };
            files.remove(id).map_err(|source| LogsError::Remove { source })?;
            found.retain(|found| found.base != base);
            return Ok(true);
        }
        let open = match state.open(self.id(), files) {
            Err(LogsError::StreamGone | LogsError::Failed) => return Ok(false),
            other => other?,
        };
        let is_last = open.segments.last().is_some_and(|last| last.base == base);
        if is_last && open.is_dirty() {
            return Ok(false);
        }
        Ok(self.remove_where(files, open, |segment| segment.base == base)? > 0)
    }

    fn remove_where(
        &self,
        files: &Files,
        open: &mut Open,
        unwanted: impl Fn(&Segment) -> bool,
    ) -> Result<usize, LogsError> {
        let mut removed = 0;
        let mut failed = None;
        let (mut position, mut saved) = (0, open.saved);
        open.segments.retain(|segment| {
            position += 1;
            if failed.is_some() || !unwanted(segment) {
                return true;
            }
            match files.remove(SegmentId { stream: self.id(), base: segment.base }) {
                Ok(()) => {
                    removed += 1;
                    saved -= usize::from(position <= open.saved);
                }
                Err(source) => failed = Some(source),
            }
            failed.is_some()
        });
        open.saved = saved;
        open.end = open.segments.last().map_or(0, |segment| segment.index.end());
        match failed {
            Some(source) => Err(LogsError::Remove { source }),
            None => Ok(removed),
        }
    }
}
