//! `SetRepositoryPolicy`, `GetRepositoryPolicy` and `DeleteRepositoryPolicy`. They are enforced elsewhere: for this
//! API before it is called, for `/v2/` in `oci/authorize.rs`.

use iam::{Caller, Decision, Keys, Policy, PolicyKind, Request};
use wire::{
    Context, Error, Scheme,
    ecr::{
        DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse, GetRepositoryPolicyRequest,
        GetRepositoryPolicyResponse, SetRepositoryPolicyRequest, SetRepositoryPolicyResponse,
    },
};

use super::{
    error::{invalid, refused, write},
    repository::{arn, find, key},
};
use crate::{
    Shared,
    state::{
        command::{DeleteRepositoryPolicy, Refusal, SetRepositoryPolicy},
        entities::RepositoryKey,
    },
};

pub(super) async fn set(
    shared: &Shared,
    context: &Context,
    input: SetRepositoryPolicyRequest,
) -> Result<SetRepositoryPolicyResponse, Error> {
    let (key, _) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let policy = Policy::parse(&input.policy_text, PolicyKind::Resource).map_err(|_| not_a_policy())?;
    if !input.force.unwrap_or(false) && locks_out(shared, context, &key, &policy) {
        return Err(not_a_policy());
    }
    let command = SetRepositoryPolicy { key, text: input.policy_text.clone() };
    shared.writer.submit(command).await.map_err(write)?;
    Ok(SetRepositoryPolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        policy_text: Some(input.policy_text),
    })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    input: GetRepositoryPolicyRequest,
) -> Result<GetRepositoryPolicyResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let set = repository.policy.ok_or_else(|| refused(Refusal::PolicyUnknown(key)))?;
    Ok(GetRepositoryPolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        policy_text: Some(set.text),
    })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    input: DeleteRepositoryPolicyRequest,
) -> Result<DeleteRepositoryPolicyResponse, Error> {
    let key = key(context, input.registry_id.as_deref(), &input.repository_name)?;
    let text = shared.writer.submit(DeleteRepositoryPolicy { key }).await.map_err(write)?;
    Ok(DeleteRepositoryPolicyResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        policy_text: Some(text),
    })
}

/// ECR says no more than this, whatever is wrong.
fn not_a_policy() -> Error {
    invalid("PolicyText", "Invalid repository policy provided")
}

/// Whether who sets the policy couldn't set another one after it (API reference, `SetRepositoryPolicy`, `force`).
fn locks_out(shared: &Shared, context: &Context, key: &RepositoryKey, policy: &Policy) -> bool {
    let Some(principal) = shared.principals.find(&context.access_key_id, &context.account) else {
        return false;
    };
    let caller = Caller {
        principal: &principal,
        access_key_id: &context.access_key_id,
        region: &context.region,
        source: context.source_ip,
        user_agent: context.user_agent.as_deref(),
        secure: context.scheme == Scheme::Https,
    };
    let resource = arn(key);
    let guard = shared.writer.index().guard(&key.scope, &resource);
    let mut keys = Keys::of(&caller, shared.now_ms());
    guard.keys.iter().for_each(|(key, value)| keys.put(key, value.as_str()));
    let request = Request {
        principal: &principal,
        action: "ecr:SetRepositoryPolicy",
        resource: &resource,
        keys: &keys,
    };
    matches!(iam::evaluate(&request, &[policy]), Decision::Denied(_))
}
