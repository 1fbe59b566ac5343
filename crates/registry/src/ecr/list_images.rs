//! `ListImages`: a line for each tag, and one for each image without a tag.

use wire::{
    Context, Error,
    ecr::{ImageIdentifier, ListImagesRequest, ListImagesResponse},
    page,
};

use super::{
    image::{Filter, identifier},
    repository::find,
};
use crate::{Shared, digest::Digest, state::entities::ManifestRecord};

const DEFAULT_PAGE: i32 = 100;
const OPERATION: &str = "ListImages";

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: ListImagesRequest,
) -> Result<ListImagesResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let filter = input.filter.unwrap_or_default();
    let filter = Filter::new(filter.tag_status, filter.image_status);
    let shown = filter.name();
    let filters = [key.scope.account.as_str(), key.scope.region.as_str(), key.name.as_str(), shown.as_str()];
    let after = match &input.next_token {
        Some(token) => page::decode(OPERATION, &filters, token)?,
        None => String::new(),
    };
    let by_digest = repository.tags_by_digest();
    // In the order of their position, which is what a token holds: digest, then tag.
    let shows = |(digest, manifest): &(&Digest, &ManifestRecord)| {
        filter.shows(by_digest.contains_key(*digest), manifest)
    };
    let lines = repository.manifests.iter().filter(shows).flat_map(|(digest, _)| {
        let tags = by_digest.get(digest).map(Vec::as_slice).unwrap_or_default();
        let tagged = tags.iter().map(|tag| identifier(digest, Some(tag)));
        let untagged = tags.is_empty().then(|| identifier(digest, None));
        tagged.chain(untagged).collect::<Vec<_>>()
    });
    let wanted = lines.filter(|id| after.is_empty() || position(id) > after);
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let (image_ids, next_token) = page::page(wanted, limit, position, token);
    Ok(ListImagesResponse { image_ids: Some(image_ids), next_token })
}

fn position(id: &ImageIdentifier) -> String {
    let part = |p: &Option<String>| p.clone().unwrap_or_default();
    format!("{} {}", part(&id.image_digest), part(&id.image_tag))
}
