//! `PutRegistryPolicy`, `GetRegistryPolicy` and `DeleteRegistryPolicy`. A registry's policy is about all of its
//! repositories and every action of ECR, as under AWS's registry policy scope V2.

use iam::{Policy, PolicyKind};
use wire::{
    Context, Error,
    ecr::{
        DeleteRegistryPolicyRequest, DeleteRegistryPolicyResponse, GetRegistryPolicyRequest,
        GetRegistryPolicyResponse, PutRegistryPolicyRequest, PutRegistryPolicyResponse,
    },
};

use super::{
    error::{invalid, refused, write},
    repository::scope,
};
use crate::{
    Shared,
    state::command::{DeleteRegistryPolicy, PutRegistryPolicy, Refusal},
};

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutRegistryPolicyRequest,
) -> Result<PutRegistryPolicyResponse, Error> {
    let checked = Policy::parse(&input.policy_text, PolicyKind::Registry);
    checked.map_err(|_| invalid("PolicyText", "Invalid registry policy provided"))?;
    let command = PutRegistryPolicy { scope: scope(context), text: input.policy_text.clone() };
    shared.writer.submit(command).await.map_err(write)?;
    Ok(PutRegistryPolicyResponse {
        registry_id: Some(context.account.clone()),
        policy_text: Some(input.policy_text),
    })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    _: GetRegistryPolicyRequest,
) -> Result<GetRegistryPolicyResponse, Error> {
    let scope = scope(context);
    let set = shared.writer.index().registry_policy(&scope).cloned();
    let set = set.ok_or_else(|| refused(Refusal::RegistryPolicyUnknown(scope)))?;
    Ok(GetRegistryPolicyResponse { registry_id: Some(context.account.clone()), policy_text: Some(set.text) })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    _: DeleteRegistryPolicyRequest,
) -> Result<DeleteRegistryPolicyResponse, Error> {
    let command = DeleteRegistryPolicy { scope: scope(context) };
    let text = shared.writer.submit(command).await.map_err(write)?;
    Ok(DeleteRegistryPolicyResponse { registry_id: Some(context.account.clone()), policy_text: Some(text) })
}
