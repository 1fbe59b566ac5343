//! `GetLogEvents`: one stream, both ways.

use wire::logs::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use wire::{Context, Error};

use super::identifier;
use crate::catalog::Refusal;
use crate::read::merge::{Merge, Query};
use crate::read::page::{self, Limits};
use crate::read::position::{Direction, EventKey, Token};
use crate::service::Service;

pub(super) fn get(
    service: &Service,
    context: &Context,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, Error> {
    let key =
        identifier::either(context, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let token: Option<Token> = input.next_token.as_deref().map(str::parse).transpose()?;
    let state = service.catalog.state();
    let group = state.group(&key)?;
    let stream = group.streams.get(&input.log_stream_name).ok_or(Refusal::NoStream)?;

    let expired_before = group.expired_before_ms(service.clock.now_ms()).unwrap_or(0);
    let direction = match token {
        Some(token) => token.direction,
        None if input.start_from_head.unwrap_or(false) => Direction::Forward,
        None => Direction::Backward,
    };
    let query = Query {
        streams: &[group.stream_id(stream)],
        from_ms: input.start_time.unwrap_or(0).max(expired_before),
        // Events at the end time itself aren't included (API reference, GetLogEvents).
        until_ms: input.end_time.map_or(i64::MAX - 1, |end| end.saturating_sub(1)),
        direction,
        gap: token.map(|token| token.gap),
    };
    let mut merge = Merge::new(&service.segments, &query)?;
    let mut events = page::fill(&mut merge, Limits::new(input.limit), |_| true)?.events;
    if direction == Direction::Backward {
        events.reverse();
    }

    // An empty page stays where it was: the token that came in goes out again, which is how a
    // client sees that it is at the end.
    let here = token.map_or(EventKey::at(query.from_ms), |token| token.gap);
    let before = events.first().map_or(here, |event| event.key);
    let behind = events.last().map_or(here, |event| event.key.next());
    let events = events.into_iter().map(|event| OutputLogEvent {
        timestamp: Some(event.key.timestamp_ms),
        message: Some(event.message().to_owned()),
        ingestion_time: Some(event.ingestion_ms),
    });
    Ok(GetLogEventsResponse {
        events: Some(events.collect()),
        next_forward_token: Some(Token { direction: Direction::Forward, gap: behind }.render()),
        next_backward_token: Some(Token { direction: Direction::Backward, gap: before }.render()),
    })
}
