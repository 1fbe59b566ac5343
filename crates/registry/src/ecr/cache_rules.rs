//! `CreatePullThroughCacheRule`, `UpdatePullThroughCacheRule`, `DeletePullThroughCacheRule`,
//! `DescribePullThroughCacheRules` and `ValidatePullThroughCacheRule`. What pulls by them is `crate::upstream`.

use wire::{
    Context, Error, Timestamp,
    ecr::{
        CreatePullThroughCacheRuleRequest, CreatePullThroughCacheRuleResponse,
        DeletePullThroughCacheRuleRequest, DeletePullThroughCacheRuleResponse,
        DescribePullThroughCacheRulesRequest, DescribePullThroughCacheRulesResponse, PullThroughCacheRule,
        UpdatePullThroughCacheRuleRequest, UpdatePullThroughCacheRuleResponse, UpstreamRegistry,
        ValidatePullThroughCacheRuleRequest, ValidatePullThroughCacheRuleResponse,
    },
    page,
};

use super::{
    error::{invalid, refused, write},
    repository::scope,
};
use crate::{
    Shared,
    state::{
        command::{CreateCacheRule, DeleteCacheRule, Refusal, UpdateCacheRule},
        entities::{CacheRuleRecord, Scope},
    },
    upstream::{
        CredentialsError,
        rule::{ROOT, Source, is_address},
    },
};

/// When the request names no `maxResults` (API reference).
const DEFAULT_PAGE: i32 = 100;
const DESCRIBE: &str = "DescribePullThroughCacheRules";

pub(super) async fn create(
    shared: &Shared,
    context: &Context,
    input: CreatePullThroughCacheRuleRequest,
) -> Result<CreatePullThroughCacheRuleResponse, Error> {
    let scope = own(context, input.registry_id.as_deref())?;
    let upstream_url = input.upstream_registry_url;
    if !is_address(&upstream_url) {
        let constraint = "must be the address of a registry: host[:port], without a path";
        return Err(invalid("upstreamRegistryUrl", constraint));
    }
    let upstream = input.upstream_registry.or_else(|| known(&upstream_url));
    if upstream == Some(UpstreamRegistry::Ecr) && input.credential_arn.is_none() {
        // Roles can't be assumed here: what one would be allowed must be said by a secret.
        let message =
            format!("The upstream registry '{upstream_url}' isn't supported without credentialArn.");
        return Err(Error::new("UnsupportedUpstreamRegistryException", message));
    }
    check_secret(shared, input.credential_arn.as_deref())?;
    let now_ms = shared.now_ms();
    let rule = CacheRuleRecord {
        upstream_url,
        upstream: upstream.map(|upstream| upstream.to_string()),
        credential: input.credential_arn,
        custom_role: input.custom_role_arn,
        upstream_prefix: prefix(input.upstream_repository_prefix.as_deref().unwrap_or(ROOT)),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    };
    let prefix = prefix(&input.ecr_repository_prefix);
    let told = told(&scope, &prefix, &rule);
    shared.writer.submit(CreateCacheRule { scope, prefix, rule }).await.map_err(write)?;
    Ok(CreatePullThroughCacheRuleResponse {
        ecr_repository_prefix: told.ecr_repository_prefix,
        upstream_registry_url: told.upstream_registry_url,
        created_at: told.created_at,
        registry_id: told.registry_id,
        upstream_registry: told.upstream_registry,
        credential_arn: told.credential_arn,
        custom_role_arn: told.custom_role_arn,
        upstream_repository_prefix: told.upstream_repository_prefix,
    })
}

/// What isn't given stays.
pub(super) async fn update(
    shared: &Shared,
    context: &Context,
    input: UpdatePullThroughCacheRuleRequest,
) -> Result<UpdatePullThroughCacheRuleResponse, Error> {
    let scope = own(context, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix);
    let _ = find(shared, &scope, &prefix)?;
    check_secret(shared, input.credential_arn.as_deref())?;
    let (credential, role, now_ms) = (input.credential_arn, input.custom_role_arn, shared.now_ms());
    let edit = move |rule: &mut CacheRuleRecord| {
        rule.credential = credential.or_else(|| rule.credential.take());
        rule.custom_role = role.or_else(|| rule.custom_role.take());
        rule.updated_at_ms = now_ms;
    };
    let command = UpdateCacheRule { scope: scope.clone(), prefix: prefix.clone(), edit };
    let rule = shared.writer.submit(command).await.map_err(write)?;
    let told = told(&scope, &prefix, &rule);
    Ok(UpdatePullThroughCacheRuleResponse {
        ecr_repository_prefix: told.ecr_repository_prefix,
        registry_id: told.registry_id,
        updated_at: told.updated_at,
        credential_arn: told.credential_arn,
        custom_role_arn: told.custom_role_arn,
        upstream_repository_prefix: told.upstream_repository_prefix,
    })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    input: DeletePullThroughCacheRuleRequest,
) -> Result<DeletePullThroughCacheRuleResponse, Error> {
    let scope = own(context, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix);
    let command = DeleteCacheRule { scope: scope.clone(), prefix: prefix.clone() };
    let rule = shared.writer.submit(command).await.map_err(write)?;
    let told = told(&scope, &prefix, &rule);
    Ok(DeletePullThroughCacheRuleResponse {
        ecr_repository_prefix: told.ecr_repository_prefix,
        upstream_registry_url: told.upstream_registry_url,
        created_at: told.created_at,
        registry_id: told.registry_id,
        credential_arn: told.credential_arn,
        custom_role_arn: told.custom_role_arn,
        upstream_repository_prefix: told.upstream_repository_prefix,
    })
}

pub(super) async fn describe(
    shared: &Shared,
    context: &Context,
    input: DescribePullThroughCacheRulesRequest,
) -> Result<DescribePullThroughCacheRulesResponse, Error> {
    let scope = own(context, input.registry_id.as_deref())?;
    if let Some(asked) = &input.ecr_repository_prefixes {
        let rules = asked.iter().map(|asked| {
            let prefix = prefix(asked);
            Ok(told(&scope, &prefix, &find(shared, &scope, &prefix)?))
        });
        let rules = rules.collect::<Result<_, Error>>()?;
        return Ok(DescribePullThroughCacheRulesResponse {
            pull_through_cache_rules: Some(rules),
            next_token: None,
        });
    }
    let filters = [scope.account.as_str(), scope.region.as_str()];
    let after =
        input.next_token.as_deref().map(|token| page::decode(DESCRIBE, &filters, token)).transpose()?;
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let index = shared.writer.index();
    let rest =
        index.cache_rules_of(&scope).filter(|(prefix, _)| after.as_ref().is_none_or(|after| *prefix > after));
    let token = |at: &str| page::encode(DESCRIBE, &filters, at);
    let (found, next_token) = page::page(rest, limit, |(prefix, _)| (*prefix).clone(), token);
    let rules = found.into_iter().map(|(prefix, rule)| told(&scope, prefix, rule)).collect();
    Ok(DescribePullThroughCacheRulesResponse { pull_through_cache_rules: Some(rules), next_token })
}

/// Asks the registry there.
pub(super) async fn validate(
    shared: &Shared,
    context: &Context,
    input: ValidatePullThroughCacheRuleRequest,
) -> Result<ValidatePullThroughCacheRuleResponse, Error> {
    let scope = own(context, input.registry_id.as_deref())?;
    let prefix = prefix(&input.ecr_repository_prefix);
    let rule = find(shared, &scope, &prefix)?;
    // The registry as such: a rule is for repositories that nobody has named yet.
    let source = Source { repository: String::new(), ..rule.source("") };
    let checked = match shared.cache.remote(&source) {
        Ok(remote) => remote.check().await,
        Err(error) => Err(error),
    };
    let told = told(&scope, &prefix, &rule);
    Ok(ValidatePullThroughCacheRuleResponse {
        ecr_repository_prefix: told.ecr_repository_prefix,
        registry_id: told.registry_id,
        upstream_registry_url: told.upstream_registry_url,
        credential_arn: told.credential_arn,
        custom_role_arn: told.custom_role_arn,
        upstream_repository_prefix: told.upstream_repository_prefix,
        is_valid: Some(checked.is_ok()),
        failure: checked.err().map(|error| error.to_string()),
    })
}

/// Nobody's registry but the caller's own is open to them.
fn own(context: &Context, registry_id: Option<&str>) -> Result<Scope, Error> {
    match registry_id {
        Some(other) if other != context.account => {
            Err(invalid("registryId", "must be the caller's own registry"))
        }
        _ => Ok(scope(context)),
    }
}

/// There is always a slash behind it, given or not.
fn prefix(given: &str) -> String {
    given.strip_suffix('/').unwrap_or(given).to_owned()
}

fn find(shared: &Shared, scope: &Scope, prefix: &str) -> Result<CacheRuleRecord, Error> {
    let index = shared.writer.index();
    let unknown = || refused(Refusal::CacheRuleUnknown { scope: scope.clone(), prefix: prefix.to_owned() });
    index.cache_rule(scope, prefix).cloned().ok_or_else(unknown)
}

fn check_secret(shared: &Shared, arn: Option<&str>) -> Result<(), Error> {
    let Some(arn) = arn else { return Ok(()) };
    shared.cache.secrets().find(arn).map(drop).map_err(|error| {
        let code = match error {
            CredentialsError::Unknown { .. } => "SecretNotFoundException",
            CredentialsError::Unreadable { .. } => "UnableToAccessSecretException",
        };
        Error::new(code, error.to_string())
    })
}

/// The registries that ECR has names for (API reference, `upstreamRegistryUrl`).
fn known(url: &str) -> Option<UpstreamRegistry> {
    use UpstreamRegistry as U;
    let host = url.strip_prefix("https://").unwrap_or(url);
    match host {
        "public.ecr.aws" => Some(U::EcrPublic),
        "registry-1.docker.io" => Some(U::DockerHub),
        "ghcr.io" => Some(U::GithubContainerRegistry),
        "registry.gitlab.com" => Some(U::GitlabContainerRegistry),
        "registry.k8s.io" => Some(U::K8s),
        "quay.io" => Some(U::Quay),
        "cgr.dev" => Some(U::Chainguard),
        _ if host.ends_with(".azurecr.io") => Some(U::AzureContainerRegistry),
        _ if host.contains(".dkr.ecr.") && host.ends_with(".amazonaws.com") => Some(U::Ecr),
        _ => None,
    }
}

fn told(scope: &Scope, prefix: &str, rule: &CacheRuleRecord) -> PullThroughCacheRule {
    PullThroughCacheRule {
        ecr_repository_prefix: Some(prefix.to_owned()),
        upstream_registry_url: Some(rule.upstream_url.clone()),
        created_at: Some(Timestamp::from_ms(rule.created_at_ms)),
        registry_id: Some(scope.account.clone()),
        credential_arn: rule.credential.clone(),
        custom_role_arn: rule.custom_role.clone(),
        upstream_repository_prefix: Some(rule.upstream_prefix.clone()),
        upstream_registry: rule.upstream.as_deref().and_then(|upstream| upstream.parse().ok()),
        updated_at: Some(Timestamp::from_ms(rule.updated_at_ms)),
    }
}
