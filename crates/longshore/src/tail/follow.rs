//! Following log streams: a cursor in each, asked again and again for what came after it.

use std::collections::BTreeSet;

use wire::logs as api;

use super::Source;
use crate::talk::{CallError, Client};

/// Pages that are read of one stream before the others get their turn.
const PAGES: usize = 8;

#[derive(Debug)]
pub struct Follow {
    client: Client,
    since_ms: Option<u64>,
    cursors: Vec<Cursor>,
    known: BTreeSet<(String, String)>,
}

#[derive(Debug)]
struct Cursor {
    source: Source,
    token: Option<String>,
}

/// A line as it is to be shown.
#[derive(Debug)]
pub struct Line {
    pub label: String,
    pub at_ms: i64,
    pub message: String,
}

impl Follow {
    pub fn new(client: Client, since_ms: Option<u64>) -> Follow {
        Follow { client, since_ms, cursors: vec![], known: BTreeSet::new() }
    }

    /// Follows these too, from their beginnings.
    pub fn add(&mut self, sources: impl IntoIterator<Item = Source>) {
        for source in sources {
            if self.known.insert((source.group.clone(), source.stream.clone())) {
                self.cursors.push(Cursor { source, token: None });
            }
        }
    }

    pub fn has_many(&self) -> bool {
        self.cursors.len() > 1
    }

    /// What has come since the last call, ordered by time. Empty when there was nothing new.
    pub async fn new_lines(&mut self) -> Result<Vec<Line>, CallError> {
        let mut lines = vec![];
        for cursor in &mut self.cursors {
            let client = self.client.in_region(&cursor.source.region);
            for _ in 0..PAGES {
                if !page(&client, self.since_ms, cursor, &mut lines).await? {
                    break;
                }
            }
        }
        // Stable: lines of one stream keep their order.
        lines.sort_by_key(|line| line.at_ms);
        Ok(lines)
    }
}

/// Reads one page; false when it had nothing.
async fn page(
    client: &Client,
    since_ms: Option<u64>,
    cursor: &mut Cursor,
    lines: &mut Vec<Line>,
) -> Result<bool, CallError> {
    let request = api::GetLogEventsRequest {
        log_group_name: Some(cursor.source.group.clone()),
        log_stream_name: cursor.source.stream.clone(),
        start_from_head: Some(true),
        start_time: since_ms.and_then(|ms| i64::try_from(ms).ok()),
        next_token: cursor.token.clone(),
        ..Default::default()
    };
    let answer = match client.call::<api::ops::GetLogEvents>(&request).await {
        Ok(answer) => answer,
        // The container hasn't written its first line yet.
        Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(false),
        Err(error) => return Err(error),
    };
    // The same token comes back at the end of a stream (CloudWatch Logs API reference, GetLogEvents).
    cursor.token = answer.next_forward_token.or(cursor.token.take());
    let events = answer.events.unwrap_or_default();
    let any = !events.is_empty();
    lines.extend(events.into_iter().map(|event| Line {
        label: cursor.source.label.clone(),
        at_ms: event.timestamp.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
    }));
    Ok(any)
}
