//! `TagResource`, `UntagResource`, `ListTagsForResource`: the tags of a repository, not those of images.

use std::collections::BTreeMap;

use wire::{
    Context, Error,
    arn::Arn,
    ecr::{
        ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest,
        TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
    },
};

use super::{
    error::{invalid, write},
    repository::{find, scope},
};
use crate::{
    Shared,
    state::{
        command::ChangeSettings,
        entities::{RepositoryKey, RepositorySettings},
    },
};

/// AWS's limits for tags (general reference, "Tag naming and usage conventions").
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// The tags after some were added, if AWS would take them.
pub(super) fn checked(
    mut tags: BTreeMap<String, String>,
    added: Vec<Tag>,
) -> Result<BTreeMap<String, String>, Error> {
    for Tag { key, value } in added {
        let length = key.chars().count();
        let refused = if length == 0 || length > KEY_MAX {
            Some(format!("A tag's key has 1 to {KEY_MAX} characters."))
        } else if value.chars().count() > VALUE_MAX {
            Some(format!("A tag's value has at most {VALUE_MAX} characters."))
        } else if key.to_ascii_lowercase().starts_with("aws:") {
            Some("A tag's key must not begin with 'aws:'.".to_owned())
        } else {
            None
        };
        if let Some(message) = refused {
            return Err(Error::new("InvalidTagParameterException", message));
        }
        tags.insert(key, value);
    }
    if tags.len() > TAGS_MAX {
        let message = format!("A repository has at most {TAGS_MAX} tags.");
        return Err(Error::new("TooManyTagsException", message));
    }
    Ok(tags)
}

pub(super) async fn tag_resource(
    shared: &Shared,
    context: &Context,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let name = repository_of(context, &input.resource_arn)?;
    let (key, repository) = find(shared, context, None, &name)?;
    // Refuses what can't be; the edit adds to whatever the tags are by then.
    checked(repository.settings.tags, input.tags.clone())?;
    let edit = move |settings: &mut RepositorySettings| {
        settings.tags.extend(input.tags.into_iter().map(|t| (t.key, t.value)));
    };
    change(shared, key, edit).await?;
    Ok(TagResourceResponse {})
}

pub(super) async fn untag_resource(
    shared: &Shared,
    context: &Context,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let name = repository_of(context, &input.resource_arn)?;
    let (key, _) = find(shared, context, None, &name)?;
    let edit = move |settings: &mut RepositorySettings| {
        settings.tags.retain(|key, _| !input.tag_keys.contains(key));
    };
    change(shared, key, edit).await?;
    Ok(UntagResourceResponse {})
}

pub(super) async fn list_tags_for_resource(
    shared: &Shared,
    context: &Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let name = repository_of(context, &input.resource_arn)?;
    let (_, repository) = find(shared, context, None, &name)?;
    let tags = repository.settings.tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceResponse { tags: Some(tags.collect()) })
}

async fn change(
    shared: &Shared,
    key: RepositoryKey,
    edit: impl FnOnce(&mut RepositorySettings) + Send + 'static,
) -> Result<(), Error> {
    shared.writer.submit(ChangeSettings { key, edit }).await.map_err(write)?;
    Ok(())
}

/// The name in a repository's ARN of the caller's own account and region.
fn repository_of(context: &Context, arn: &str) -> Result<String, Error> {
    let home = scope(context);
    let parsed: Arn = arn.parse().map_err(|_| invalid("resourceArn", "must be a valid ARN"))?;
    match parsed.resource.strip_prefix("repository/") {
        Some(name)
            if parsed.service == "ecr" && parsed.region == home.region && parsed.account == home.account =>
        {
            Ok(name.to_owned())
        }
        _ => Err(invalid("resourceArn", "must be the ARN of a repository of this account and region")),
    }
}
