//! `BatchDeleteImage`.

use wire::{
    Context, Error,
    ecr::{BatchDeleteImageRequest, BatchDeleteImageResponse, ImageFailureCode, ImageIdentifier},
};

use super::{
    batch_get_image::{failure, parse, reason},
    error::write,
    repository::key,
};
use crate::{
    Shared,
    state::command::{DeleteFailure, DeleteImages, ImageId},
};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let mut failures = Vec::new();
    let mut ids = Vec::new();
    for id in input.image_ids {
        match parse(&id) {
            Ok((digest, tag)) => ids.push(ImageId { digest, tag }),
            Err(code) => failures.push(failure(id, code, reason(code))),
        }
    }
    let command = DeleteImages { key, ids, now_ms: shared.now_ms() };
    let outcome = shared.writer.submit(command).await.map_err(write)?;
    failures.extend(outcome.failures.into_iter().map(|(id, why)| {
        let code = match why {
            DeleteFailure::NotFound => ImageFailureCode::ImageNotFound,
            DeleteFailure::TagDoesNotMatchDigest => ImageFailureCode::ImageTagDoesNotMatchDigest,
            DeleteFailure::NoTagNorDigest => ImageFailureCode::MissingDigestAndTag,
            DeleteFailure::Referenced(_) => ImageFailureCode::ImageReferencedByManifestList,
        };
        let reason = match &why {
            DeleteFailure::Referenced(indexes) => {
                format!("Requested image referenced by manifest list: {indexes:?}")
            }
            _ => reason(code).to_owned(),
        };
        failure(named(&id), code, reason)
    }));
    Ok(BatchDeleteImageResponse {
        image_ids: Some(outcome.deleted.iter().map(named).collect()),
        failures: Some(failures),
    })
}

fn named(id: &ImageId) -> ImageIdentifier {
    ImageIdentifier {
        image_digest: id.digest.as_ref().map(ToString::to_string),
        image_tag: id.tag.as_ref().map(ToString::to_string),
    }
}
