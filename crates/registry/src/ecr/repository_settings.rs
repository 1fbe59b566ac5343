//! `PutImageTagMutability` and `PutImageScanningConfiguration`.

use wire::{
    Context, Error,
    ecr::{
        ImageScanningConfiguration, PutImageScanningConfigurationRequest,
        PutImageScanningConfigurationResponse, PutImageTagMutabilityRequest, PutImageTagMutabilityResponse,
    },
};

use super::{
    error::write,
    repository::{exclusion_filters, key, mutability, mutability_name},
};
use crate::{
    Shared,
    state::{command::ChangeSettings, entities::RepositorySettings},
};

pub(super) async fn put_image_tag_mutability(
    shared: &Shared,
    context: &Context,
    input: PutImageTagMutabilityRequest,
) -> Result<PutImageTagMutabilityResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let filters = input.image_tag_mutability_exclusion_filters;
    let rule = mutability(Some(input.image_tag_mutability), filters)?;
    let edit = move |settings: &mut RepositorySettings| settings.mutability = rule;
    let settings = shared.writer.submit(ChangeSettings { key, edit }).await.map_err(write)?;
    Ok(PutImageTagMutabilityResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_tag_mutability: Some(mutability_name(&settings.mutability)),
        image_tag_mutability_exclusion_filters: exclusion_filters(&settings.mutability),
    })
}

pub(super) async fn put_image_scanning_configuration(
    shared: &Shared,
    context: &Context,
    input: PutImageScanningConfigurationRequest,
) -> Result<PutImageScanningConfigurationResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let scan = input.image_scanning_configuration.scan_on_push.unwrap_or(false);
    let edit = move |settings: &mut RepositorySettings| settings.scan_on_push = scan;
    let settings = shared.writer.submit(ChangeSettings { key, edit }).await.map_err(write)?;
    Ok(PutImageScanningConfigurationResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(settings.scan_on_push),
        }),
    })
}
