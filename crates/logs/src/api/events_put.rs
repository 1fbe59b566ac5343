//! `PutLogEvents`: answered when the events are durable.

use std::sync::Arc;

use wire::logs::{PutLogEventsRequest, PutLogEventsResponse};
use wire::{Context, Error};

use super::streams::sequence_token;
use super::{blocking, identifier};
use crate::catalog::Refusal;
use crate::put;
use crate::segment::frame::Event;
use crate::service::Service;
use crate::stream::Put;

pub(super) async fn put(
    service: Arc<Service>,
    context: Context,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, Error> {
    let (mut response, put) = blocking(move || write(&service, &context, &input)).await?;
    if let Some(put) = put {
        response.next_sequence_token = Some(sequence_token(put.next_ordinal));
        // The sync is shared with every put that was written meanwhile; no thread waits for it.
        put.durable().await?;
    }
    Ok(response)
}

fn write(
    service: &Service,
    context: &Context,
    input: &PutLogEventsRequest,
) -> Result<(PutLogEventsResponse, Option<Put>), Error> {
    let state = service.catalog.state();
    let group = state.group(&identifier::key(context, &input.log_group_name))?;
    let stream = group.streams.get(&input.log_stream_name).ok_or(Refusal::NoStream)?;
    let id = group.stream_id(stream);
    let now_ms = service.clock.now_ms();
    let accepted = put::accept(&input.log_events, now_ms, group.expired_before_ms(now_ms))?;
    let mut response = PutLogEventsResponse {
        rejected_log_events_info: accepted.rejected,
        ..PutLogEventsResponse::default()
    };
    let events: Vec<Event<'_>> = input.log_events[accepted.events]
        .iter()
        .map(|event| Event { timestamp_ms: event.timestamp, message: &event.message })
        .collect();
    if events.is_empty() {
        let next = service.segments.summary(id)?.next_ordinal;
        response.next_sequence_token = Some(sequence_token(next));
        return Ok((response, None));
    }
    Ok((response, Some(service.segments.append(id, &events, now_ms)?)))
}
