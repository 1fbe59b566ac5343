//! Events of one's own.

use serde_json::{Value, json};
use wire::events::{PutEventsRequest, PutEventsRequestEntry, PutEventsResponse, PutEventsResultEntry};
use wire::{Context, Error};

use super::{Service, invalid, names};
use crate::envelope::{Envelope, time};
use crate::state::{BusKey, Change};

/// Of all entries together (API reference, PutEvents).
const MOST_BYTES: usize = 256 * 1024;
const LONGEST_DETAIL_TYPE: usize = 128;

pub(super) async fn put(
    service: &Service,
    context: &Context,
    input: PutEventsRequest,
) -> Result<PutEventsResponse, Error> {
    if input.entries.iter().map(size).sum::<usize>() > MOST_BYTES {
        return Err(invalid("Total size of the entries in the request is over the limit."));
    }
    let now_ms = service.clock.now_ms();
    let mut events = Vec::new();
    let mut entries = Vec::new();
    for entry in input.entries {
        let id = uuid::Uuid::new_v4().to_string();
        let bus = names::bus_key(context, entry.event_bus_name.as_deref())?;
        match event(bus, entry, &id, now_ms) {
            Ok(event) => {
                events.push(event);
                entries.push(PutEventsResultEntry { event_id: Some(id), ..PutEventsResultEntry::default() });
            }
            Err((code, message)) => entries.push(PutEventsResultEntry {
                error_code: Some(code.to_owned()),
                error_message: Some(message),
                ..PutEventsResultEntry::default()
            }),
        }
    }
    let failed = entries.len() - events.len();
    // What no rule wants leaves no trace.
    let state = service.catalog.state();
    events.retain(|envelope| state.matching(&envelope.bus, &envelope.event).next().is_some());
    if !events.is_empty() {
        service.catalog.change(Change::Accept { events, cursor: None }).await?;
    }
    Ok(PutEventsResponse { failed_entry_count: i32::try_from(failed).ok(), entries: Some(entries) })
}

/// As the user guide counts it ("Calculating PutEvents event entry size").
fn size(entry: &PutEventsRequestEntry) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let resources: usize = entry.resources.iter().flatten().map(String::len).sum();
    let time = if entry.time.is_some() { 14 } else { 0 };
    time + length(&entry.source) + length(&entry.detail_type) + length(&entry.detail) + resources
}

/// The event, or why this entry isn't taken.
fn event(
    bus: BusKey,
    entry: PutEventsRequestEntry,
    id: &str,
    now_ms: u64,
) -> Result<Envelope, (&'static str, String)> {
    let missing = |name: &str| {
        ("InvalidArgument", format!("Parameter {name} is not valid. Reason: {name} is a required argument."))
    };
    let given =
        |text: Option<String>, name: &str| text.filter(|text| !text.is_empty()).ok_or_else(|| missing(name));
    let source = given(entry.source, "Source")?;
    let detail_type = given(entry.detail_type, "DetailType")?;
    let detail = given(entry.detail, "Detail")?;
    if detail_type.chars().count() > LONGEST_DETAIL_TYPE {
        let reason = format!(
            "Parameter DetailType is not valid. Reason: it has more than {LONGEST_DETAIL_TYPE} characters."
        );
        return Err(("InvalidArgument", reason));
    }
    // These are ours alone (API reference, PutEventsResultEntry).
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let detail: Value = serde_json::from_str(&detail).unwrap_or_default();
    if !detail.is_object() {
        return Err(("MalformedDetail", "Detail is malformed.".to_owned()));
    }
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": bus.account,
        "time": time(entry.time.map_or(now_ms, wire::Timestamp::ms)),
        "region": bus.region,
        "resources": entry.resources.unwrap_or_default(),
        "detail": detail,
    });
    Ok(Envelope::own(bus, event))
}
