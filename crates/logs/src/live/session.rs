//! One session: `initial-response`, `sessionStart`, then a `sessionUpdate` a second until it has lasted
//! three hours (API reference, StartLiveTail).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Interval, MissedTickBehavior};
use wire::eventstream::{self, Events};
use wire::logs::StartLiveTailRequest;

use super::Wanted;
use super::cursors::{Cursors, Line};
use crate::error::LogsError;
use crate::service::Service;

const EVERY: Duration = Duration::from_secs(1);
const LONGEST_MS: i64 = 3 * 60 * 60 * 1000;

pub(crate) struct Session {
    service: Arc<Service>,
    wanted: Arc<Wanted>,
    started_ms: i64,
    stage: Stage,
}

enum Stage {
    Begin { head: Vec<u8>, cursors: Cursors },
    Update { timer: Interval, cursors: Cursors },
    Over,
}

impl Session {
    /// Shows what is ingested from now on.
    pub(crate) fn start(
        service: Arc<Service>,
        wanted: Wanted,
        input: StartLiveTailRequest,
        request_id: &str,
    ) -> Session {
        let cursors = Cursors::new(&service, &wanted);
        let mut head = eventstream::initial_response(b"{}");
        head.extend(eventstream::event(
            "sessionStart",
            json_bytes(&session_start(input, request_id)).as_slice(),
        ));
        let started_ms = service.clock.now_ms();
        Session { service, wanted: Arc::new(wanted), started_ms, stage: Stage::Begin { head, cursors } }
    }

    async fn next_message(&mut self) -> Option<Vec<u8>> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begin { head, cursors } => {
                let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
                timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
                self.stage = Stage::Update { timer, cursors };
                Some(head)
            }
            Stage::Update { mut timer, cursors } => {
                timer.tick().await;
                if self.service.clock.now_ms().saturating_sub(self.started_ms) >= LONGEST_MS {
                    return Some(ended("SessionTimeoutException", "The session has lasted three hours."));
                }
                match self.look(cursors).await {
                    Ok((cursors, message)) => {
                        self.stage = Stage::Update { timer, cursors };
                        Some(message)
                    }
                    Err(error) => {
                        tracing::error!(%error, "a live tail session ended");
                        Some(ended("SessionStreamingException", "The log events can't be read."))
                    }
                }
            }
            Stage::Over => None,
        }
    }

    async fn look(&self, mut cursors: Cursors) -> Result<(Cursors, Vec<u8>), LogsError> {
        let (service, wanted) = (Arc::clone(&self.service), Arc::clone(&self.wanted));
        let looked = tokio::task::spawn_blocking(move || {
            let (lines, sampled) = cursors.advance(&service, &wanted)?;
            Ok((cursors, update(lines, sampled)))
        });
        looked.await.unwrap_or(Err(LogsError::Stopped))
    }
}

impl Events for Session {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + '_>> {
        Box::pin(self.next_message())
    }
}

fn session_start(input: StartLiveTailRequest, request_id: &str) -> Value {
    let mut start = Map::new();
    let members = [
        ("requestId", json!(request_id)),
        ("sessionId", json!(request_id)),
        ("logGroupIdentifiers", json!(input.log_group_identifiers)),
        ("logStreamNames", json!(input.log_stream_names.unwrap_or_default())),
        ("logStreamNamePrefixes", json!(input.log_stream_name_prefixes.unwrap_or_default())),
        ("logEventFilterPattern", json!(input.log_event_filter_pattern.unwrap_or_default())),
    ];
    start.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(start)
}

fn update(lines: Vec<Line>, sampled: bool) -> Vec<u8> {
    let result = |line: Line| {
        json!({
            "logGroupIdentifier": line.group,
            "logStreamName": line.stream,
            "message": line.message,
            "timestamp": line.timestamp_ms,
            "ingestionTime": line.ingestion_ms,
        })
    };
    let results: Vec<Value> = lines.into_iter().map(result).collect();
    let update = json!({"sessionMetadata": {"sampled": sampled}, "sessionResults": results});
    eventstream::event("sessionUpdate", &json_bytes(&update))
}

fn ended(exception: &str, message: &str) -> Vec<u8> {
    eventstream::exception(exception, &json_bytes(&json!({"message": message})))
}

fn json_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
