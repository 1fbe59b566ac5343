//! What the operations work on.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Change, GroupKey};
use crate::clock::Clock;
use crate::error::LogsError;
use crate::stream::{Segments, StreamId};

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) catalog: Catalog,
    pub(crate) segments: Segments,
    pub(crate) clock: Clock,
    /// All segments together.
    pub(crate) max_bytes: u64,
}

impl Service {
    /// Makes a change durable, then removes the events that lost their metadata. That may fail
    /// without harm: the next start removes what is left.
    pub(crate) fn change(&self, key: GroupKey, change: Change) -> Result<(), wire::Error> {
        let done = self.catalog.change(key, change, self.clock.now_ms())??;
        let removed = self.segments.remove(&done.removed_streams);
        let removed = removed.and_then(|()| match done.removed_group {
            Some(group) => self.segments.remove_group(group),
            None => Ok(()),
        });
        if let Err(error) = removed {
            tracing::warn!(%error, "deleted log events stay on the disk until the next start");
        }
        Ok(())
    }

    /// Removes segments in which every event is older than its group's retention period. Answers
    /// how many were removed.
    pub(crate) fn expire(&self) -> Result<usize, LogsError> {
        let now_ms = self.clock.now_ms();
        let mut removed = 0;
        for group in self.catalog.state().groups.values() {
            let Some(before_ms) = group.expired_before_ms(now_ms) else { continue };
            for id in group.stream_ids() {
                removed += self.segments.expire(id, before_ms)?;
            }
        }
        Ok(removed)
    }

    /// Packs what is full or quiet, then gives up the oldest segments if all together are above the
    /// limit. Says which streams lost events, and how far: their `firstEventTimestamp` moves on.
    pub(crate) fn tidy(&self) -> Result<(), LogsError> {
        let packed = self.segments.pack(self.clock.now_ms()).map(drop);
        // On a disk too full to pack anything, this makes room.
        let mut lost: BTreeMap<StreamId, i64> = BTreeMap::new();
        for (stream, last_ms) in self.segments.limit(self.max_bytes)? {
            let known = lost.entry(stream).or_default();
            *known = last_ms.max(*known);
        }
        if lost.is_empty() {
            return packed;
        }
        for (key, group) in &self.catalog.state().groups {
            for (name, stream) in &group.streams {
                if let Some(until_ms) = lost.get(&group.stream_id(stream)) {
                    tracing::warn!(
                        group = key.name,
                        stream = name,
                        until_ms,
                        limit_bytes = self.max_bytes,
                        "the oldest log events of a stream were removed: all logs together were above the limit"
                    );
                }
            }
        }
        packed
    }
}
