//! `CreateRepository`.

use wire::{
    Context, Error,
    ecr::{CreateRepositoryRequest, CreateRepositoryResponse, EncryptionType},
};

use super::{
    error::{invalid, write},
    repository::{describe, mutability, parse_name, scope},
    resource_tags::checked,
};
use crate::{
    Shared,
    state::{
        command::CreateRepository,
        entities::{RepositoryKey, RepositorySettings},
    },
};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, Error> {
    if input.registry_id.as_ref().is_some_and(|id| *id != context.account) {
        return Err(invalid("registryId", "must be the caller's own registry"));
    }
    let name = parse_name(&input.repository_name)?;
    let encryption = input.encryption_configuration;
    let kms_key = encryption.as_ref().and_then(|e| e.kms_key.clone());
    let encryption_type = encryption.map_or(EncryptionType::Aes256, |e| e.encryption_type);
    if kms_key.is_some() && encryption_type == EncryptionType::Aes256 {
        return Err(invalid("encryptionConfiguration", "kmsKey needs the encryption type KMS or KMS_DSSE"));
    }
    let settings = RepositorySettings {
        created_at_ms: shared.now_ms(),
        mutability: mutability(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?,
        scan_on_push: input.image_scanning_configuration.and_then(|c| c.scan_on_push).unwrap_or(false),
        encryption_type: encryption_type.as_str().to_owned(),
        kms_key,
        tags: checked(Default::default(), input.tags.unwrap_or_default())?,
    };
    let key = RepositoryKey { scope: scope(context), name };
    let repository = describe(shared, context, &key, &settings);
    shared.writer.submit(CreateRepository { key, settings }).await.map_err(write)?;
    Ok(CreateRepositoryResponse { repository: Some(repository) })
}
