//! Tags of rules and buses, by ARN.

use std::collections::BTreeMap;

use wire::arn;
use wire::events::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest, TagResourceResponse,
    UntagResourceRequest, UntagResourceResponse,
};
use wire::{Context, Error};

use super::{Service, invalid, names};
use crate::state::{BusKey, Change, DEFAULT_BUS, Refusal, Resource, RuleKey};

pub(super) fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let count = tags.len();
    let read: BTreeMap<String, String> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if read.len() < count {
        return Err(invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
    }
    Ok(read)
}

pub(super) async fn tag(
    service: &Service,
    context: &Context,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let resource = resource(context, &input.resource_arn)?;
    service.catalog.change(Change::Tag(resource, read(input.tags)?)).await?;
    Ok(TagResourceResponse::default())
}

pub(super) async fn untag(
    service: &Service,
    context: &Context,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let resource = resource(context, &input.resource_arn)?;
    service.catalog.change(Change::Untag(resource, input.tag_keys)).await?;
    Ok(UntagResourceResponse::default())
}

pub(super) async fn list(
    service: &Service,
    context: &Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let state = service.catalog.state();
    let tags = match resource(context, &input.resource_arn)? {
        Resource::Rule(key) => {
            state.rules.get(&key).map(|rule| rule.tags.clone()).ok_or(Refusal::NoRule(key))?
        }
        Resource::Bus(key) => match state.buses.get(&key) {
            Some(bus) => bus.tags.clone(),
            None if key.name == DEFAULT_BUS => BTreeMap::new(),
            None => return Err(Refusal::NoBus(key.name).into()),
        },
    };
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}

/// What an ARN names, of the caller's own account and region.
fn resource(context: &Context, text: &str) -> Result<Resource, Error> {
    let own =
        |named: &arn::OfEvents| named.arn.account == context.account && named.arn.region == context.region;
    let named = arn::events(text).filter(own).ok_or_else(|| names::not_valid("ResourceARN"))?;
    let bus = BusKey { account: context.account.clone(), region: context.region.clone(), name: named.bus };
    Ok(match named.rule {
        Some(name) => Resource::Rule(RuleKey { bus, name }),
        None => Resource::Bus(bus),
    })
}
