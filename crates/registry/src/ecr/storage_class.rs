//! `UpdateImageStorageClass`. The archive is no other place here: an image that is brought back is so at once, and never
//! ACTIVATING.

use wire::{
    Context, Error,
    ecr::{ImageStatus, TargetStorageClass, UpdateImageStorageClassRequest, UpdateImageStorageClassResponse},
};

use super::{error::write, image::resolve, repository::find};
use crate::{Shared, state::command::SetArchived};

pub(super) async fn update(
    shared: &Shared,
    context: &Context,
    input: UpdateImageStorageClassRequest,
) -> Result<UpdateImageStorageClassResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let (digest, _) = resolve(&key, &repository, &input.image_id)?;
    let archived = input.target_storage_class == TargetStorageClass::Archive;
    let command = SetArchived { key, digest: digest.clone(), archived, now_ms: shared.now_ms() };
    shared.writer.submit(command).await.map_err(write)?;
    let image_status = if archived { ImageStatus::Archived } else { ImageStatus::Active };
    Ok(UpdateImageStorageClassResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_id: Some(input.image_id),
        image_status: Some(image_status),
    })
}
