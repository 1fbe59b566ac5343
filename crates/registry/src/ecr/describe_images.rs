//! `DescribeImages`: those named, or all in pages.

use std::collections::BTreeSet;

use wire::{
    Context, Error,
    ecr::{DescribeImagesRequest, DescribeImagesResponse},
    page,
};

use super::{
    error::invalid,
    image::{Filter, detail, resolve},
    repository::find,
    scan,
};
use crate::{Shared, digest::Digest, name::Tag};

const DEFAULT_PAGE: i32 = 100;
const OPERATION: &str = "DescribeImages";

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let by_digest = repository.tags_by_digest();
    let tags = |digest: &Digest| -> Vec<String> {
        let tags: &[&Tag] = by_digest.get(digest).map(Vec::as_slice).unwrap_or_default();
        tags.iter().map(ToString::to_string).collect()
    };
    if let Some(ids) = input.image_ids {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults", "maxResults and nextToken can not be used with imageIds"));
        }
        let mut seen = BTreeSet::new();
        let mut image_details = Vec::new();
        for id in &ids {
            let (digest, manifest) = resolve(&key, &repository, id)?;
            // Two tags of one image are one image.
            if seen.insert(digest) {
                let mut image = detail(&key, &repository, (digest, manifest), tags(digest));
                (image.image_scan_status, image.image_scan_findings_summary) =
                    scan::summary(shared, &repository, digest).await?;
                image_details.push(image);
            }
        }
        return Ok(DescribeImagesResponse { image_details: Some(image_details), next_token: None });
    }
    let filter = input.filter.unwrap_or_default();
    let filter = Filter::new(filter.tag_status, filter.image_status);
    let shown = filter.name();
    let filters = [key.scope.account.as_str(), key.scope.region.as_str(), key.name.as_str(), shown.as_str()];
    let after = match &input.next_token {
        Some(token) => page::decode(OPERATION, &filters, token)?,
        None => String::new(),
    };
    let wanted = repository.manifests.iter().filter(|(digest, manifest)| {
        filter.shows(by_digest.contains_key(digest), manifest) && digest.as_str() > after.as_str()
    });
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let (found, next_token) = page::page(wanted, limit, |(digest, _)| digest.to_string(), token);
    let mut image_details = Vec::with_capacity(found.len());
    for (digest, manifest) in found {
        let mut image = detail(&key, &repository, (digest, manifest), tags(digest));
        (image.image_scan_status, image.image_scan_findings_summary) =
            scan::summary(shared, &repository, digest).await?;
        image_details.push(image);
    }
    Ok(DescribeImagesResponse { image_details: Some(image_details), next_token })
}
