//! `TestMetricFilter`: a pattern tried on messages that come with the request.

use wire::logs::{MetricFilterMatchRecord, TestMetricFilterRequest, TestMetricFilterResponse};
use wire::{Context, Error};

use crate::filter::Pattern;
use crate::service::Service;

pub(super) fn test(
    _: &Service,
    _: &Context,
    input: TestMetricFilterRequest,
) -> Result<TestMetricFilterResponse, Error> {
    let pattern = Pattern::parse(&input.filter_pattern)?;
    // The service counts from 1, whatever the API reference's examples show.
    let numbered = (1..).zip(input.log_event_messages);
    let matches = numbered.filter_map(|(number, message)| {
        let extracted = pattern.extract(&message)?;
        Some(MetricFilterMatchRecord {
            event_number: Some(number),
            event_message: Some(message),
            extracted_values: Some(extracted),
        })
    });
    Ok(TestMetricFilterResponse { matches: Some(matches.collect()) })
}
