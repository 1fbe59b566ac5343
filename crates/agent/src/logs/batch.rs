//! What one PutLogEvents call may hold (CloudWatch Logs API reference, PutLogEvents).

/// Counted for every event on top of its UTF-8 bytes.
pub const EVENT_OVERHEAD: usize = 26;
/// The longest message of one event, in bytes: 256 KiB less the overhead.
pub const MAX_EVENT_BYTES: usize = 262_144 - EVENT_OVERHEAD;
const MAX_BATCH_BYTES: usize = 1_048_576;
const MAX_BATCH_EVENTS: usize = 10_000;
/// A batch may not span more than 24 hours.
const MAX_SPAN_MS: u64 = 24 * 3_600_000;

/// One line and when it was read, in ms since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    pub at_ms: u64,
    pub message: String,
}

/// A batch that is being filled.
#[derive(Debug, Default)]
pub struct Batch {
    events: Vec<LogEvent>,
    bytes: usize,
}

impl Batch {
    /// Gives the event back when it does not fit any more. An empty batch takes any event.
    pub fn push(&mut self, event: LogEvent) -> Result<(), LogEvent> {
        let bytes = event.message.len() + EVENT_OVERHEAD;
        if let Some(first) = self.events.first() {
            let full = self.bytes + bytes > MAX_BATCH_BYTES
                || self.events.len() == MAX_BATCH_EVENTS
                || event.at_ms.saturating_sub(first.at_ms) >= MAX_SPAN_MS;
            if full {
                return Err(event);
            }
        }
        self.bytes += bytes;
        self.events.push(event);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub fn into_events(self) -> Vec<LogEvent> {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, len: usize) -> LogEvent {
        LogEvent { at_ms, message: "x".repeat(len) }
    }

    #[test]
    fn the_limits_of_a_batch() {
        let mut batch = Batch::default();
        for _ in 0..3 {
            batch.push(event(0, MAX_EVENT_BYTES)).unwrap();
        }
        batch.push(event(0, MAX_EVENT_BYTES)).unwrap();
        assert!(batch.push(event(0, 1)).is_err(), "1 MiB is full to the byte");

        let mut batch = Batch::default();
        batch.push(event(0, 1)).unwrap();
        assert!(batch.push(event(MAX_SPAN_MS, 1)).is_err());
        for _ in 1..MAX_BATCH_EVENTS {
            batch.push(event(1, 1)).unwrap();
        }
        assert!(batch.push(event(1, 1)).is_err());
    }
}
