//! `RegisterPullTimeUpdateExclusion`, `DeregisterPullTimeUpdateExclusion` and `ListPullTimeUpdateExclusions`: whose
//! pulls leave no trace in `lastRecordedPullTime`, by which lifecycle policies may expire images.

use wire::{
    Context, Error, Timestamp,
    ecr::{
        DeregisterPullTimeUpdateExclusionRequest, DeregisterPullTimeUpdateExclusionResponse,
        ListPullTimeUpdateExclusionsRequest, ListPullTimeUpdateExclusionsResponse,
        RegisterPullTimeUpdateExclusionRequest, RegisterPullTimeUpdateExclusionResponse,
    },
    page,
};

use super::{error::write, repository::scope};
use crate::{
    Shared,
    state::{
        command::{ChangeRegistry, Refusal},
        entities::RegistrySettings,
    },
};

/// When the request names no `maxResults` (API reference).
const DEFAULT_PAGE: i32 = 100;
const LIST: &str = "ListPullTimeUpdateExclusions";

pub(super) async fn register(
    shared: &Shared,
    context: &Context,
    input: RegisterPullTimeUpdateExclusionRequest,
) -> Result<RegisterPullTimeUpdateExclusionResponse, Error> {
    let (arn, now_ms) = (input.principal_arn.clone(), shared.now_ms());
    let edit = move |settings: &mut RegistrySettings| {
        if settings.unrecorded.contains_key(&arn) {
            return Err(Refusal::ExclusionExists(arn));
        }
        settings.unrecorded.insert(arn, now_ms);
        Ok(())
    };
    shared.writer.submit(ChangeRegistry { scope: scope(context), edit }).await.map_err(write)?;
    Ok(RegisterPullTimeUpdateExclusionResponse {
        principal_arn: Some(input.principal_arn),
        created_at: Some(Timestamp::from_ms(now_ms)),
    })
}

pub(super) async fn deregister(
    shared: &Shared,
    context: &Context,
    input: DeregisterPullTimeUpdateExclusionRequest,
) -> Result<DeregisterPullTimeUpdateExclusionResponse, Error> {
    let arn = input.principal_arn.clone();
    let edit = move |settings: &mut RegistrySettings| match settings.unrecorded.remove(&arn) {
        Some(_) => Ok(()),
        None => Err(Refusal::ExclusionUnknown(arn)),
    };
    shared.writer.submit(ChangeRegistry { scope: scope(context), edit }).await.map_err(write)?;
    Ok(DeregisterPullTimeUpdateExclusionResponse { principal_arn: Some(input.principal_arn) })
}

pub(super) async fn list(
    shared: &Shared,
    context: &Context,
    input: ListPullTimeUpdateExclusionsRequest,
) -> Result<ListPullTimeUpdateExclusionsResponse, Error> {
    let scope = scope(context);
    let filters = [scope.account.as_str(), scope.region.as_str()];
    let after = input.next_token.as_deref().map(|token| page::decode(LIST, &filters, token)).transpose()?;
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let index = shared.writer.index();
    let all = index.registry(&scope).into_iter().flat_map(|settings| settings.unrecorded.keys());
    let rest = all.filter(|arn| after.as_ref().is_none_or(|after| *arn > after));
    let token = |at: &str| page::encode(LIST, &filters, at);
    let (found, next_token) = page::page(rest, limit, |arn: &&String| (*arn).clone(), token);
    let found = found.into_iter().cloned().collect();
    Ok(ListPullTimeUpdateExclusionsResponse { pull_time_update_exclusions: Some(found), next_token })
}
