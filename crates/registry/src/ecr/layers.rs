//! `BatchCheckLayerAvailability` and `GetDownloadUrlForLayer`.

use wire::{
    Context, Error,
    ecr::{
        BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse,
        GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse, Layer, LayerAvailability,
        LayerFailure, LayerFailureCode,
    },
};

use super::repository::find;
use crate::{
    Shared,
    auth::token::{DOWNLOAD_MS, Owner},
    digest::Digest,
};

/// ECR doesn't know what a layer is before a manifest names it; it answers this.
const LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

pub(super) async fn batch_check_layer_availability(
    shared: &Shared,
    context: &Context,
    input: BatchCheckLayerAvailabilityRequest,
) -> Result<BatchCheckLayerAvailabilityResponse, Error> {
    let (_, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let mut layers = Vec::new();
    let mut failures = Vec::new();
    for text in input.layer_digests {
        let digest: Digest = match text.parse() {
            Ok(digest) => digest,
            Err(_) => {
                let code = if text.is_empty() {
                    LayerFailureCode::MissingLayerDigest
                } else {
                    LayerFailureCode::InvalidLayerDigest
                };
                failures.push(LayerFailure {
                    failure_code: Some(code),
                    failure_reason: Some("The layer digest is not a sha256 or sha512 digest".to_owned()),
                    layer_digest: Some(text),
                });
                continue;
            }
        };
        let link = repository.blobs.get(&digest);
        let availability =
            if link.is_some() { LayerAvailability::Available } else { LayerAvailability::Unavailable };
        layers.push(Layer {
            layer_digest: Some(text),
            layer_availability: Some(availability),
            layer_size: link.and_then(|l| i64::try_from(l.size).ok()),
            media_type: link.map(|_| LAYER_TYPE.to_owned()),
        });
    }
    Ok(BatchCheckLayerAvailabilityResponse { layers: Some(layers), failures: Some(failures) })
}

pub(super) async fn get_download_url_for_layer(
    shared: &Shared,
    context: &Context,
    input: GetDownloadUrlForLayerRequest,
) -> Result<GetDownloadUrlForLayerResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let digest = input.layer_digest.parse().ok().filter(|d: &Digest| repository.blobs.contains_key(d));
    let digest = digest.ok_or_else(|| {
        let message = format!(
            "The layer with digest '{}' does not exist in the repository with name '{}' in the registry with \
             id '{}'",
            input.layer_digest, key.name, key.scope.account
        );
        Error::new("LayersNotFoundException", message)
    })?;
    let path = format!("/v2/{}/blobs/{digest}", key.name);
    let now_ms = shared.now_ms();
    let owner = Owner { scope: key.scope, access_key_id: context.access_key_id.clone() };
    let ticket = shared.authority.key().issue_download(&path, owner, now_ms, now_ms + DOWNLOAD_MS);
    Ok(GetDownloadUrlForLayerResponse {
        download_url: Some(format!("{}{path}?ticket={ticket}", shared.base(context))),
        layer_digest: Some(digest.to_string()),
    })
}
