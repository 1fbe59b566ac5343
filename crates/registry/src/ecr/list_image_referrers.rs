//! `ListImageReferrers`: the artifacts whose subject is an image, as the OCI referrers API lists them.

use wire::{
    Context, Error,
    ecr::{
        ArtifactStatus, ArtifactStatusFilter, ImageReferrer, ListImageReferrersRequest,
        ListImageReferrersResponse,
    },
    page,
};

use super::{error::invalid, repository::find};
use crate::{Shared, digest::Digest, state::entities::ManifestRecord};

/// Of the API reference, `maxResults`.
const DEFAULT_PAGE: i32 = 20;
const OPERATION: &str = "ListImageReferrers";

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: ListImageReferrersRequest,
) -> Result<ListImageReferrersResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let subject: Digest = input
        .subject_id
        .image_digest
        .parse()
        .map_err(|_| invalid("subjectId.imageDigest", "must be a sha256 or sha512 digest"))?;
    let filter = input.filter.unwrap_or_default();
    let status = filter.artifact_status.unwrap_or(ArtifactStatusFilter::Active);
    let mut types = filter.artifact_types.unwrap_or_default();
    types.sort_unstable();
    let mut filters = vec![key.scope.account.as_str(), key.scope.region.as_str(), key.name.as_str()];
    filters.extend([subject.as_str(), status.as_str()]);
    filters.extend(types.iter().map(String::as_str));
    let after = match &input.next_token {
        Some(token) => page::decode(OPERATION, &filters, token)?,
        None => String::new(),
    };
    let shows = |m: &ManifestRecord| match status {
        ArtifactStatusFilter::Active => !m.is_archived(),
        ArtifactStatusFilter::Archived => m.is_archived(),
        // What is brought back is so at once.
        ArtifactStatusFilter::Activating => false,
        ArtifactStatusFilter::Any => true,
    };
    let of_type = |m: &ManifestRecord| {
        types.is_empty() || m.artifact_type.as_ref().is_some_and(|kind| types.contains(kind))
    };
    let wanted = repository
        .referrers_of(&subject)
        .filter(|(digest, m)| shows(m) && of_type(m) && digest.as_str() > after.as_str());
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let (found, next_token) = page::page(wanted, limit, |(digest, _)| digest.to_string(), token);
    let referrers = found.into_iter().map(referrer).collect();
    Ok(ListImageReferrersResponse { referrers: Some(referrers), next_token })
}

fn referrer((digest, manifest): (&Digest, &ManifestRecord)) -> ImageReferrer {
    ImageReferrer {
        digest: digest.to_string(),
        media_type: manifest.media_type.clone(),
        artifact_type: manifest.artifact_type.clone(),
        // Of the manifest, as in an OCI descriptor.
        size: i64::try_from(manifest.size).unwrap_or(i64::MAX),
        annotations: (!manifest.annotations.is_empty()).then(|| manifest.annotations.clone()),
        artifact_status: Some(match manifest.is_archived() {
            true => ArtifactStatus::Archived,
            false => ArtifactStatus::Active,
        }),
    }
}
