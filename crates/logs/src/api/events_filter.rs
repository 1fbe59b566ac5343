//! `FilterLogEvents`: streams of a group, interleaved by time.

use wire::logs::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use wire::{Context, Error};

use super::identifier;
use crate::catalog::{Group, Refusal};
use crate::filter::Pattern;
use crate::read::merge::{Found, Merge, Query};
use crate::read::page::{self, Limits};
use crate::read::position::{Direction, EventKey, Token};
use crate::service::Service;

/// 2024-01-01T00:00:00Z. Newest first isn't offered for earlier start times (API reference).
const BACKWARD_SINCE_MS: i64 = 1_704_067_200_000;

pub(super) fn filter(
    service: &Service,
    context: &Context,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, Error> {
    let key =
        identifier::either(context, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let token: Option<Token> = input.next_token.as_deref().map(str::parse).transpose()?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let direction = match token {
        Some(token) => token.direction,
        None if input.start_from_head.unwrap_or(true) => Direction::Forward,
        None if input.start_time.is_some_and(|start| start < BACKWARD_SINCE_MS) => {
            return Err(Error::invalid_parameter(
                "startFromHead can be false only when startTime is 2024-01-01T00:00:00Z or later.",
            ));
        }
        None => Direction::Backward,
    };
    let state = service.catalog.state();
    let group = state.group(&key)?;
    let chosen = choose(group, &input)?;
    let streams: Vec<_> = chosen.iter().map(|(_, stream)| *stream).collect();
    let expired_before = group.expired_before_ms(service.clock.now_ms()).unwrap_or(0);
    let query = Query {
        streams: &streams,
        from_ms: input.start_time.unwrap_or(0).max(expired_before),
        until_ms: input.end_time.unwrap_or(i64::MAX - 1),
        direction,
        gap: token.map(|token| token.gap),
    };
    let mut merge = Merge::new(&service.segments, &query)?;
    let page = page::fill(&mut merge, Limits::new(input.limit), |found| pattern.matches(found.message()))?;

    let name = |stream: u64| {
        let at = chosen.binary_search_by_key(&stream, |(_, id)| id.stream);
        at.ok().map(|at| chosen[at].0.to_owned())
    };
    let events = page.events.iter().map(|event| describe_one(event, name(event.key.stream)));
    Ok(FilterLogEventsResponse {
        events: Some(events.collect()),
        // Since 2020 CloudWatch Logs answers an empty list here.
        searched_log_streams: Some(Vec::new()),
        next_token: page.rest.map(|rest| continue_at(direction, rest).render()),
    })
}

/// The place from which `rest` comes next.
fn continue_at(direction: Direction, rest: EventKey) -> Token {
    let gap = match direction {
        Direction::Forward => rest,
        Direction::Backward => rest.next(),
    };
    Token { direction, gap }
}

/// The streams to search with their names, by id.
fn choose<'g>(
    group: &'g Group,
    input: &FilterLogEventsRequest,
) -> Result<Vec<(&'g str, crate::stream::StreamId)>, Error> {
    let prefix = input.log_stream_name_prefix.as_deref();
    let mut chosen = Vec::new();
    match &input.log_stream_names {
        Some(_) if prefix.is_some() => {
            return Err(Error::invalid_parameter(
                "Parameters 'logStreamNames' and 'logStreamNamePrefix' cannot be specified together.",
            ));
        }
        Some(names) => {
            for name in names {
                let stream = group.streams.get_key_value(name).ok_or(Refusal::NoStream)?;
                chosen.push((stream.0.as_str(), group.stream_id(stream.1)));
            }
        }
        None => {
            let prefix = prefix.unwrap_or_default();
            let under = group.streams.range(prefix.to_owned()..);
            let under = under.take_while(|(name, _)| name.starts_with(prefix));
            chosen.extend(under.map(|(name, stream)| (name.as_str(), group.stream_id(stream))));
        }
    }
    chosen.sort_unstable_by_key(|(_, id)| id.stream);
    chosen.dedup_by_key(|(_, id)| id.stream);
    Ok(chosen)
}

fn describe_one(event: &Found, stream: Option<String>) -> FilteredLogEvent {
    FilteredLogEvent {
        event_id: Some(event.key.digits()),
        ingestion_time: Some(event.ingestion_ms),
        log_stream_name: stream,
        message: Some(event.message().to_owned()),
        timestamp: Some(event.key.timestamp_ms),
    }
}
