//! `BatchGetImage`: manifests, and for each that isn't there the reason.

use wire::{
    Context, Error,
    ecr::{
        BatchGetImageRequest, BatchGetImageResponse, Image, ImageFailure, ImageFailureCode, ImageIdentifier,
    },
};

use super::{error::internal, image::identifier, repository::find};
use crate::{
    Shared,
    digest::Digest,
    name::{Reference, Tag},
    state::{entities::RepositoryKey, index::Repository},
};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let mut images = Vec::new();
    let mut failures = Vec::new();
    for id in input.image_ids {
        match get(shared, &key, &repository, &id, input.accepted_media_types.as_deref()).await? {
            Ok(image) => images.push(image),
            Err(code) => failures.push(failure(id, code, reason(code))),
        }
    }
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}

async fn get(
    shared: &Shared,
    key: &RepositoryKey,
    repository: &Repository,
    id: &ImageIdentifier,
    accepted: Option<&[String]>,
) -> Result<Result<Image, ImageFailureCode>, Error> {
    let (said, tag) = match parse(id) {
        Ok(parsed) => parsed,
        Err(code) => return Ok(Err(code)),
    };
    let reference = match (&tag, &said) {
        (Some(tag), _) => Reference::Tag(tag.clone()),
        (None, Some(digest)) => Reference::Digest(digest.clone()),
        (None, None) => return Ok(Err(ImageFailureCode::MissingDigestAndTag)),
    };
    let Some((digest, manifest)) = repository.resolve(&reference) else {
        return Ok(Err(ImageFailureCode::ImageNotFound));
    };
    if said.is_some_and(|said| said != *digest) {
        return Ok(Err(ImageFailureCode::ImageTagDoesNotMatchDigest));
    }
    if accepted.is_some_and(|types| !types.contains(&manifest.media_type)) {
        return Ok(Err(ImageFailureCode::ImageNotFound));
    }
    if manifest.is_archived() {
        return Ok(Err(ImageFailureCode::ImageInaccessible));
    }
    let bytes = match shared.blobs.read_all(digest).await {
        Ok(bytes) => bytes,
        // Deleted between the look at the index and the opening of the file.
        Err(e) if e.is_not_found() => return Ok(Err(ImageFailureCode::ImageNotFound)),
        Err(e) => return Err(internal(&e)),
    };
    Ok(Ok(Image {
        registry_id: Some(key.scope.account.clone()),
        repository_name: Some(key.name.to_string()),
        image_id: Some(identifier(digest, tag.as_ref())),
        // JSON is UTF-8: a manifest with other bytes was refused when it was put.
        image_manifest: Some(String::from_utf8_lossy(&bytes).into_owned()),
        image_manifest_media_type: Some(manifest.media_type.clone()),
    }))
}

/// Digest and tag of an identifier, or what is wrong with it.
pub(super) fn parse(id: &ImageIdentifier) -> Result<(Option<Digest>, Option<Tag>), ImageFailureCode> {
    let digest = id.image_digest.as_deref().map(str::parse).transpose();
    let tag = id.image_tag.as_deref().map(str::parse).transpose();
    Ok((
        digest.map_err(|_| ImageFailureCode::InvalidImageDigest)?,
        tag.map_err(|_| ImageFailureCode::InvalidImageTag)?,
    ))
}

pub(super) fn failure(
    id: ImageIdentifier,
    code: ImageFailureCode,
    reason: impl Into<String>,
) -> ImageFailure {
    ImageFailure { image_id: Some(id), failure_code: Some(code), failure_reason: Some(reason.into()) }
}

pub(super) fn reason(code: ImageFailureCode) -> &'static str {
    match code {
        ImageFailureCode::InvalidImageDigest => {
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
        }
        ImageFailureCode::InvalidImageTag => "Invalid request parameters: image tag is not valid",
        ImageFailureCode::ImageTagDoesNotMatchDigest => "Image tag does not match the image digest",
        ImageFailureCode::MissingDigestAndTag => {
            "Invalid request parameters: both tag and digest cannot be null"
        }
        ImageFailureCode::ImageInaccessible => "Requested image is archived",
        _ => "Requested image not found",
    }
}
