//! `InitiateLayerUpload`, `UploadLayerPart`, `CompleteLayerUpload`: an OCI upload through the API.

use bytes::Bytes;
use futures_util::stream;
use uuid::Uuid;
use wire::{
    Context, Error,
    ecr::{
        CompleteLayerUploadRequest, CompleteLayerUploadResponse, InitiateLayerUploadRequest,
        InitiateLayerUploadResponse, UploadLayerPartRequest, UploadLayerPartResponse,
    },
};

use super::{
    error::{invalid, upload, write},
    repository::find,
};
use crate::{
    Shared,
    blobs::upload::{Expected, UploadError},
    digest::{Algorithm, Digest},
    name::RepositoryName,
    state::command::LinkBlob,
};

/// Bytes of a part: what ECR answers.
const PART_SIZE: i64 = 10 * 1024 * 1024;

pub(super) async fn initiate_layer_upload(
    shared: &Shared,
    context: &Context,
    input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, Error> {
    let (key, _) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let id = shared.uploads.begin(&key, Algorithm::Sha256).await;
    let id = id.map_err(|e| upload(e, &key.name, &context.account, ""))?;
    Ok(InitiateLayerUploadResponse { upload_id: Some(id.to_string()), part_size: Some(PART_SIZE) })
}

pub(super) async fn upload_layer_part(
    shared: &Shared,
    context: &Context,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, Error> {
    let (key, _) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let id = parse_id(&input.upload_id, &key.name, &context.account)?;
    let first = u64::try_from(input.part_first_byte).ok();
    // Both come from the client: neither their distance nor the one more need fit.
    let distance = input.part_last_byte.checked_sub(input.part_first_byte);
    let length = distance
        .and_then(|distance| u64::try_from(distance).ok()?.checked_add(1))
        .filter(|length| *length == input.layer_part_blob.0.len() as u64)
        .ok_or_else(|| invalid("partLastByte", "must be the last byte of the part that is sent"))?;
    let part = stream::iter([Ok(Bytes::from(input.layer_part_blob.0))]);
    let expected = Expected { first, length: Some(length) };
    let offset = shared
        .uploads
        .append(&key, id, part, expected)
        .await
        .map_err(|e| upload(e, &key.name, &context.account, &input.upload_id))?;
    Ok(UploadLayerPartResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(key.name.to_string()),
        upload_id: Some(input.upload_id),
        last_byte_received: i64::try_from(offset).ok().map(|offset| offset - 1),
    })
}

pub(super) async fn complete_layer_upload(
    shared: &Shared,
    context: &Context,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let id = parse_id(&input.upload_id, &key.name, &context.account)?;
    let failed = |e| upload(e, &key.name, &context.account, &input.upload_id);
    let digest: Digest = input
        .layer_digests
        .first()
        .and_then(|d| d.parse().ok())
        .ok_or_else(|| invalid("layerDigests", "must be sha256 or sha512 digests"))?;
    if shared.uploads.offset(&key, id).await.map_err(failed)? == 0 {
        let message = "The upload has no parts.";
        return Err(Error::new("EmptyUploadException", message));
    }
    let (staged, size) = shared.uploads.finish(&key, id, digest.clone()).await.map_err(failed)?;
    if repository.blobs.contains_key(&digest) {
        let message = format!(
            "Layer with digest '{digest}' already exists in the repository with name '{}' in the registry with \
             id '{}'",
            key.name, context.account
        );
        return Err(Error::new("LayerAlreadyExistsException", message));
    }
    let repository_name = key.name.to_string();
    let command = LinkBlob { key, digest: digest.clone(), size, now_ms: shared.now_ms() };
    shared.submit_staged(command, staged).await.map_err(write)?;
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(repository_name),
        upload_id: Some(input.upload_id),
        layer_digest: Some(digest.to_string()),
    })
}

fn parse_id(id: &str, name: &RepositoryName, registry: &str) -> Result<Uuid, Error> {
    id.parse().map_err(|_| upload(UploadError::Unknown, name, registry, id))
}
