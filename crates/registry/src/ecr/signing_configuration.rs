//! `PutSigningConfiguration`, `GetSigningConfiguration` and `DeleteSigningConfiguration`: recorded and given back. The
//! signer is a service of AWS's, so nothing is signed by it, which `DescribeImageSigningStatus` says; what `cosign` or
//! `notation` signs is an artifact like any other.

use std::collections::BTreeSet;

use wire::{
    Context, Error,
    ecr::{
        DeleteSigningConfigurationRequest, DeleteSigningConfigurationResponse,
        DescribeImageSigningStatusRequest, DescribeImageSigningStatusResponse,
        GetSigningConfigurationRequest, GetSigningConfigurationResponse, ImageSigningStatus,
        PutSigningConfigurationRequest, PutSigningConfigurationResponse, SigningConfiguration,
        SigningRepositoryFilter, SigningRepositoryFilterType, SigningRule, SigningStatus,
    },
    ecr_host::matches,
};

use super::{
    error::{refused, write},
    image::resolve,
    repository::{find, scope},
};
use crate::{
    Shared,
    state::{
        command::{ChangeRegistry, Refusal},
        entities::{RegistrySettings, SigningRuleRecord},
    },
};

const NO_SIGNER: &str = "Longshore has no AWS Signer: nothing was signed. Sign with notation or cosign; their \
    signatures are kept with the image.";

pub(super) async fn put(
    shared: &Shared,
    context: &Context,
    input: PutSigningConfigurationRequest,
) -> Result<PutSigningConfigurationResponse, Error> {
    let record = |rule: SigningRule| SigningRuleRecord {
        profile: rule.signing_profile_arn,
        filters: rule.repository_filters.map(|list| list.into_iter().map(|f| f.filter).collect()),
    };
    let rules: Vec<_> = input.signing_configuration.rules.into_iter().map(record).collect();
    let told = told(&rules);
    let edit = move |settings: &mut RegistrySettings| {
        settings.signing = Some(rules);
        Ok(())
    };
    shared.writer.submit(ChangeRegistry { scope: scope(context), edit }).await.map_err(write)?;
    Ok(PutSigningConfigurationResponse { signing_configuration: Some(told) })
}

pub(super) async fn get(
    shared: &Shared,
    context: &Context,
    _: GetSigningConfigurationRequest,
) -> Result<GetSigningConfigurationResponse, Error> {
    let scope = scope(context);
    let index = shared.writer.index();
    let rules = index.registry(&scope).and_then(|settings| settings.signing.as_deref());
    let rules = rules.ok_or_else(|| refused(Refusal::SigningUnknown(scope)))?;
    Ok(GetSigningConfigurationResponse {
        registry_id: Some(context.account.clone()),
        signing_configuration: Some(told(rules)),
    })
}

pub(super) async fn delete(
    shared: &Shared,
    context: &Context,
    _: DeleteSigningConfigurationRequest,
) -> Result<DeleteSigningConfigurationResponse, Error> {
    let scope = scope(context);
    let unknown = Refusal::SigningUnknown(scope.clone());
    let edit = move |settings: &mut RegistrySettings| settings.signing.take().ok_or(unknown);
    let rules = shared.writer.submit(ChangeRegistry { scope, edit }).await.map_err(write)?;
    Ok(DeleteSigningConfigurationResponse {
        registry_id: Some(context.account.clone()),
        signing_configuration: Some(told(&rules)),
    })
}

/// What each profile whose rule is for the repository has come to: nothing, since its signer isn't here.
pub(super) async fn describe_status(
    shared: &Shared,
    context: &Context,
    input: DescribeImageSigningStatusRequest,
) -> Result<DescribeImageSigningStatusResponse, Error> {
    let (key, repository) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    resolve(&key, &repository, &input.image_id)?;
    let index = shared.writer.index();
    let rules =
        index.registry(&key.scope).and_then(|settings| settings.signing.as_deref()).unwrap_or_default();
    let fits = |rule: &&SigningRuleRecord| match &rule.filters {
        Some(filters) => filters.iter().any(|filter| matches(filter, key.name.as_str())),
        None => true,
    };
    let profiles: BTreeSet<&String> = rules.iter().filter(fits).map(|rule| &rule.profile).collect();
    let failed = |profile: &String| ImageSigningStatus {
        signing_profile_arn: Some(profile.clone()),
        status: Some(SigningStatus::Failed),
        failure_code: Some("SignerUnavailable".to_owned()),
        failure_reason: Some(NO_SIGNER.to_owned()),
    };
    Ok(DescribeImageSigningStatusResponse {
        registry_id: Some(context.account.clone()),
        repository_name: Some(input.repository_name),
        image_id: Some(input.image_id),
        signing_statuses: Some(profiles.into_iter().map(failed).collect()),
    })
}

fn told(rules: &[SigningRuleRecord]) -> SigningConfiguration {
    let filter = |text: &String| SigningRepositoryFilter {
        filter: text.clone(),
        filter_type: SigningRepositoryFilterType::WildcardMatch,
    };
    let rule = |rule: &SigningRuleRecord| SigningRule {
        signing_profile_arn: rule.profile.clone(),
        repository_filters: rule.filters.as_ref().map(|list| list.iter().map(filter).collect()),
    };
    SigningConfiguration { rules: rules.iter().map(rule).collect() }
}
