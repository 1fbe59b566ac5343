//! Log streams.

use std::cmp::Reverse;

use wire::logs::{
    CreateLogStreamRequest, CreateLogStreamResponse, DeleteLogStreamRequest, DeleteLogStreamResponse,
    DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy,
};
use wire::{Context, Error};

use super::identifier;
use super::list_page::Question;
use crate::catalog::{Change, Group, GroupKey};
use crate::service::Service;
use crate::stream::Summary;

pub(super) fn create(
    service: &Service,
    context: &Context,
    input: CreateLogStreamRequest,
) -> Result<CreateLogStreamResponse, Error> {
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::CreateStream { name: input.log_stream_name })?;
    Ok(CreateLogStreamResponse::default())
}

pub(super) fn delete(
    service: &Service,
    context: &Context,
    input: DeleteLogStreamRequest,
) -> Result<DeleteLogStreamResponse, Error> {
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::DeleteStream { name: input.log_stream_name })?;
    Ok(DeleteLogStreamResponse::default())
}

/// Where a page ended: the last stream's name, and its last event's time when that is the order.
type Cursor = (Option<i64>, String);

pub(super) fn describe(
    service: &Service,
    context: &Context,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, Error> {
    let key =
        identifier::either(context, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    let prefix = input.log_stream_name_prefix.as_deref();
    if by_time && prefix.is_some() {
        return Err(Error::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let descending = input.descending.unwrap_or(false);
    let question = Question::new(
        "DescribeLogStreams",
        &((&key.account, &key.region, &key.name), (prefix, by_time, descending)),
    );
    let after: Option<Cursor> = question.parse(input.next_token.as_deref())?;

    let state = service.catalog.state();
    let group = state.group(&key)?;
    let mut cursors = cursors(service, group, prefix, by_time)?;
    if let Some(after) = after {
        cursors.retain(|cursor| if descending { *cursor < after } else { *cursor > after });
    }
    if descending {
        cursors.sort_unstable_by(|a, b| Reverse(a).cmp(&Reverse(b)));
    } else {
        cursors.sort_unstable();
    }
    let (page, next_token) = question.take(cursors.into_iter(), input.limit, Clone::clone);
    let streams = page.into_iter().map(|(_, name)| describe_one(service, &key, group, name));
    Ok(DescribeLogStreamsResponse { log_streams: Some(streams.collect::<Result<_, _>>()?), next_token })
}

/// Every stream's place in the wanted order. A stream without events comes before all others.
fn cursors(
    service: &Service,
    group: &Group,
    prefix: Option<&str>,
    by_time: bool,
) -> Result<Vec<Cursor>, Error> {
    let mut cursors = Vec::new();
    let from = prefix.unwrap_or_default().to_owned();
    for (name, stream) in group.streams.range(from..) {
        if !prefix.is_none_or(|prefix| name.starts_with(prefix)) {
            break;
        }
        let time = if by_time {
            service.segments.summary(group.stream_id(stream))?.bounds_ms.map(|(_, last)| last)
        } else {
            None
        };
        cursors.push((time, name.clone()));
    }
    Ok(cursors)
}

fn describe_one(service: &Service, key: &GroupKey, group: &Group, name: String) -> Result<LogStream, Error> {
    let stream = group.streams.get(&name);
    let summary = match stream {
        Some(stream) => service.segments.summary(group.stream_id(stream))?,
        None => Summary::default(),
    };
    Ok(LogStream {
        arn: Some(identifier::stream_arn(key, &name)),
        log_stream_name: Some(name),
        creation_time: stream.map(|stream| stream.created_ms),
        first_event_timestamp: summary.bounds_ms.map(|(first, _)| first),
        last_event_timestamp: summary.bounds_ms.map(|(_, last)| last),
        last_ingestion_time: summary.last_ingestion_ms,
        upload_sequence_token: Some(sequence_token(summary.next_ordinal)),
        // Since 2019 CloudWatch Logs reports no bytes for streams.
        stored_bytes: Some(0),
    })
}

/// Nobody checks sequence tokens any more, but old clients want one.
pub(super) fn sequence_token(next_ordinal: u64) -> String {
    format!("{next_ordinal:056}")
}
