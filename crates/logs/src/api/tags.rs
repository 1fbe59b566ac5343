//! Tags of log groups, by ARN and by name.

use std::collections::BTreeMap;

use wire::logs::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
    ListTagsLogGroupResponse, TagLogGroupRequest, TagLogGroupResponse, TagResourceRequest,
    TagResourceResponse, UntagLogGroupRequest, UntagLogGroupResponse, UntagResourceRequest,
    UntagResourceResponse,
};
use wire::{Context, Error};

use super::identifier;
use crate::catalog::{Change, GroupKey};
use crate::service::Service;

pub(super) fn tag_resource(
    service: &Service,
    context: &Context,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let key = identifier::from_arn(context, &input.resource_arn)?;
    service.change(key, Change::Tag { tags: input.tags })?;
    Ok(TagResourceResponse::default())
}

pub(super) fn untag_resource(
    service: &Service,
    context: &Context,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let key = identifier::from_arn(context, &input.resource_arn)?;
    service.change(key, Change::Untag { keys: input.tag_keys })?;
    Ok(UntagResourceResponse::default())
}

pub(super) fn list_for_resource(
    service: &Service,
    context: &Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let tags = tags(service, &identifier::from_arn(context, &input.resource_arn)?)?;
    Ok(ListTagsForResourceResponse { tags: Some(tags) })
}

pub(super) fn tag_group(
    service: &Service,
    context: &Context,
    input: TagLogGroupRequest,
) -> Result<TagLogGroupResponse, Error> {
    let key = identifier::key(context, &input.log_group_name);
    let tagged = service.change(key, Change::Tag { tags: input.tags });
    // This older operation doesn't know TagResource's error.
    tagged.map_err(|error| match error.code.as_str() {
        "TooManyTagsException" => Error::invalid_parameter(error.message),
        _ => error,
    })?;
    Ok(TagLogGroupResponse::default())
}

pub(super) fn untag_group(
    service: &Service,
    context: &Context,
    input: UntagLogGroupRequest,
) -> Result<UntagLogGroupResponse, Error> {
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::Untag { keys: input.tags })?;
    Ok(UntagLogGroupResponse::default())
}

pub(super) fn list_for_group(
    service: &Service,
    context: &Context,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, Error> {
    let tags = tags(service, &identifier::key(context, &input.log_group_name))?;
    Ok(ListTagsLogGroupResponse { tags: Some(tags) })
}

fn tags(service: &Service, key: &GroupKey) -> Result<BTreeMap<String, String>, Error> {
    Ok(service.catalog.state().group(key)?.tags.clone())
}
