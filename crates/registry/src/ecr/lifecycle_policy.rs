//! `PutLifecyclePolicy`, `GetLifecyclePolicy` and `DeleteLifecyclePolicy`.

use wire::{
    Context, Error, Timestamp,
    ecr::{
        DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse, GetLifecyclePolicyRequest,
        GetLifecyclePolicyResponse, PutLifecyclePolicyRequest, PutLifecyclePolicyResponse,
    },
};

use super::{
    error::{invalid, refused, write},
    repository::{find, key},
};
use crate::{
    Shared,
    lifecycle::Policy,
    state::command::{DeleteLifecyclePolicy, PutLifecyclePolicy, Refusal},
};

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutLifecyclePolicyRequest,
) -> Result<PutLifecyclePolicyResponse, Error> {
    let (key, _) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    checked(&input.lifecycle_policy_text)?;
    let command = PutLifecyclePolicy { key, text: input.lifecycle_policy_text.clone() };
    shared.writer.submit(command).await.map_err(write)?;
    shared.timetable.wake();
    Ok(PutLifecyclePolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        lifecycle_policy_text: Some(input.lifecycle_policy_text),
    })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    input: GetLifecyclePolicyRequest,
) -> Result<GetLifecyclePolicyResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let record = repository.lifecycle.ok_or_else(|| refused(Refusal::LifecycleUnknown(key)))?;
    Ok(GetLifecyclePolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        lifecycle_policy_text: Some(record.text),
        last_evaluated_at: record.evaluated_at_ms.map(Timestamp::from_ms),
    })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    input: DeleteLifecyclePolicyRequest,
) -> Result<DeleteLifecyclePolicyResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let record = shared.writer.submit(DeleteLifecyclePolicy { key }).await.map_err(write)?;
    Ok(DeleteLifecyclePolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        lifecycle_policy_text: Some(record.text),
        last_evaluated_at: record.evaluated_at_ms.map(Timestamp::from_ms),
    })
}

/// The policy that a text means, if ECR would take it.
pub(super) fn checked(text: &str) -> Result<Policy, Error> {
    // The capital letter is ECR's.
    Policy::parse(text)
        .map_err(|why| invalid("LifecyclePolicyText", &format!("Lifecycle policy validation failure: {why}")))
}
