//! Where a session is in each stream, and what came behind that.

use std::collections::HashMap;

use super::Wanted;
use super::sample::Sample;
use crate::api::group_arn;
use crate::catalog::GroupKey;
use crate::error::LogsError;
use crate::segment::frame;
use crate::service::Service;
use crate::stream::StreamId;

/// So much is read for one update at most; what is behind it counts as left out.
const MOST_READ: u64 = 32 << 20;

/// By stream: the ordinal of the first event that wasn't looked at yet.
#[derive(Debug, Default)]
pub(super) struct Cursors(HashMap<StreamId, u64>);

/// An event to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) timestamp_ms: i64,
    pub(super) ordinal: u64,
    pub(super) ingestion_ms: i64,
    pub(super) group: String,
    pub(super) stream: String,
    pub(super) message: String,
}

impl Cursors {
    /// Begins behind everything that is there.
    pub(super) fn new(service: &Service, wanted: &Wanted) -> Cursors {
        let mut cursors = Cursors::default();
        let state = service.catalog.state();
        for group in wanted.groups.iter().filter_map(|key| state.groups.get(key)) {
            for id in group.stream_ids() {
                if let Some(news) = service.segments.since(id, Some(u64::MAX)) {
                    cursors.0.insert(id, news.end);
                }
            }
        }
        cursors
    }

    /// What came since the last call and is wanted, by time; and whether some of it is left out.
    pub(super) fn advance(
        &mut self,
        service: &Service,
        wanted: &Wanted,
    ) -> Result<(Vec<Line>, bool), LogsError> {
        let mut sample = Sample::default();
        let mut read = 0;
        let state = service.catalog.state();
        for key in &wanted.groups {
            let Some(group) = state.groups.get(key) else { continue };
            for (name, stream) in &group.streams {
                if wanted.streams.include(name) {
                    let id = group.stream_id(stream);
                    read += self.stream(service, wanted, (key, name, id), read, &mut sample)?;
                }
            }
        }
        let (mut lines, left_out) = sample.finish();
        lines.sort();
        Ok((lines, left_out))
    }

    fn stream(
        &mut self,
        service: &Service,
        wanted: &Wanted,
        (key, name, id): (&GroupKey, &str, StreamId),
        already_read: u64,
        sample: &mut Sample<Line>,
    ) -> Result<u64, LogsError> {
        let Some(news) = service.segments.since(id, self.0.get(&id).copied()) else { return Ok(0) };
        self.0.insert(id, news.end.max(news.from));
        let mut read = 0;
        for span in &news.spans {
            if already_read + read >= MOST_READ {
                sample.leave_out();
                break;
            }
            let Some(bytes) = service.segments.read(span)? else { continue };
            read += bytes.len() as u64;
            let damaged = |_| LogsError::Damaged { stream: id.stream, offset: span.span.offset };
            for place in frame::decode(&bytes).map_err(damaged)? {
                let new = place.ordinal >= news.from && place.ordinal < news.end;
                let message = std::str::from_utf8(&bytes[place.message.clone()]).unwrap_or_default();
                if new && wanted.pattern.matches(message) {
                    sample.offer(message.len(), || Line {
                        timestamp_ms: place.timestamp_ms,
                        ordinal: place.ordinal,
                        ingestion_ms: place.ingestion_ms,
                        group: group_arn(key),
                        stream: name.to_owned(),
                        message: message.to_owned(),
                    });
                }
            }
        }
        Ok(read)
    }
}
