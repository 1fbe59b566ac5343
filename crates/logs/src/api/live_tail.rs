//! `StartLiveTail`: what is asked for is checked here; the session itself is `live`.

use std::sync::Arc;

use wire::eventstream::Events;
use wire::logs::StartLiveTailRequest;
use wire::{Context, Error};

use super::identifier;
use crate::filter::Pattern;
use crate::live::{Session, Streams, Wanted};
use crate::service::Service;

pub(super) fn start(
    service: Arc<Service>,
    context: &Context,
    input: StartLiveTailRequest,
) -> Result<Box<dyn Events>, Error> {
    let pattern = Pattern::parse(input.log_event_filter_pattern.as_deref().unwrap_or_default())?;
    let streams = match (&input.log_stream_names, &input.log_stream_name_prefixes) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid_parameter(
                "logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.",
            ));
        }
        (None, None) => Streams::All,
        _ if input.log_group_identifiers.len() > 1 => {
            return Err(Error::invalid_parameter(
                "logStreamNames and logStreamNamePrefixes can be specified with one log group only.",
            ));
        }
        (Some(names), None) => Streams::Named(names.clone()),
        (None, Some(prefixes)) => Streams::Under(prefixes.clone()),
    };
    let state = service.catalog.state();
    let mut groups = Vec::new();
    for name in &input.log_group_identifiers {
        let key = identifier::from_identifier(context, name)?;
        state.group(&key)?;
        if !groups.contains(&key) {
            groups.push(key);
        }
    }
    let wanted = Wanted { groups, streams, pattern };
    Ok(Box::new(Session::start(service, wanted, input, &context.request_id)))
}
