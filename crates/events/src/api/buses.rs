//! Event buses. The default one is there without being made.

use wire::events::{
    CreateEventBusRequest, CreateEventBusResponse, DeleteEventBusRequest, DeleteEventBusResponse,
    DescribeEventBusRequest, DescribeEventBusResponse, EventBus, ListEventBusesRequest,
    ListEventBusesResponse,
};
use wire::{Context, Error, Timestamp};

use super::pages::Listing;
use super::{Service, invalid, names, tags};
use crate::state::{Bus, BusKey, Change, DEFAULT_BUS, State};

pub(super) async fn create(
    service: &Service,
    context: &Context,
    input: CreateEventBusRequest,
) -> Result<CreateEventBusResponse, Error> {
    let unsupported = [
        ("EventSourceName", input.event_source_name.is_some()),
        ("KmsKeyIdentifier", input.kms_key_identifier.is_some()),
        ("DeadLetterConfig", input.dead_letter_config.is_some()),
        ("LogConfig", input.log_config.is_some()),
    ];
    if let Some((name, _)) = unsupported.into_iter().find(|(_, given)| *given) {
        return Err(invalid(format!("Longshore's event buses have no {name}.")));
    }
    if input.name.contains('/') {
        return Err(invalid("Event bus name must not contain '/'."));
    }
    let key = BusKey { account: context.account.clone(), region: context.region.clone(), name: input.name };
    let arn = key.arn();
    let bus = Bus {
        created_ms: service.clock.now_ms(),
        description: input.description.clone(),
        tags: tags::read(input.tags.unwrap_or_default())?,
    };
    service.catalog.change(Change::CreateBus(key, bus)).await?;
    Ok(CreateEventBusResponse {
        event_bus_arn: Some(arn),
        description: input.description,
        ..CreateEventBusResponse::default()
    })
}

pub(super) async fn describe(
    service: &Service,
    context: &Context,
    input: DescribeEventBusRequest,
) -> Result<DescribeEventBusResponse, Error> {
    let state = service.catalog.state();
    let key = names::bus(context, &state, input.name.as_deref())?;
    let EventBus { name, arn, description, creation_time, last_modified_time, .. } = shown(&state, &key);
    Ok(DescribeEventBusResponse {
        name,
        arn,
        description,
        creation_time,
        last_modified_time,
        ..DescribeEventBusResponse::default()
    })
}

pub(super) async fn list(
    service: &Service,
    context: &Context,
    input: ListEventBusesRequest,
) -> Result<ListEventBusesResponse, Error> {
    let state = service.catalog.state();
    let prefix = input.name_prefix.unwrap_or_default();
    let default =
        BusKey { account: context.account.clone(), region: context.region.clone(), name: DEFAULT_BUS.into() };
    let own = |key: &&BusKey| key.account == context.account && key.region == context.region;
    let mut keys: Vec<BusKey> = state.buses.keys().filter(own).cloned().chain([default]).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| key.name.starts_with(&prefix));
    let listing = Listing::new("ListEventBuses", context, &[&prefix]);
    let (keys, next_token) =
        listing.page(keys.into_iter(), |key| key.name.clone(), input.next_token.as_deref(), input.limit)?;
    Ok(ListEventBusesResponse {
        event_buses: Some(keys.iter().map(|key| shown(&state, key)).collect()),
        next_token,
    })
}

pub(super) async fn delete(
    service: &Service,
    context: &Context,
    input: DeleteEventBusRequest,
) -> Result<DeleteEventBusResponse, Error> {
    let key = BusKey { account: context.account.clone(), region: context.region.clone(), name: input.name };
    service.catalog.change(Change::DeleteBus(key)).await?;
    Ok(DeleteEventBusResponse::default())
}

fn shown(state: &State, key: &BusKey) -> EventBus {
    // A default bus that has tags was never made.
    let bus = state.buses.get(key).filter(|bus| bus.created_ms > 0);
    let created = bus.map(|bus| Timestamp::from_ms(bus.created_ms));
    EventBus {
        name: Some(key.name.clone()),
        arn: Some(key.arn()),
        description: bus.and_then(|bus| bus.description.clone()),
        creation_time: created,
        last_modified_time: created,
        ..EventBus::default()
    }
}
