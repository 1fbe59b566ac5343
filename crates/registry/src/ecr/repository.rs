//! Finding a repository, and describing one as ECR does.

use wire::{
    Context, Error, Timestamp,
    ecr::{
        EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
        ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
    },
};

use super::error::{invalid, repository_not_found};
use crate::{
    Shared,
    name::RepositoryName,
    state::{
        entities::{Mutability, RepositoryKey, RepositorySettings, Scope},
        index::Repository,
    },
};

pub(super) fn scope(context: &Context) -> Scope {
    Scope { account: context.account.clone(), region: context.region.clone() }
}

/// The key of a repository of the caller. Nobody's registry but the caller's own is open to them.
pub(super) fn key(context: &Context, registry_id: Option<&str>, name: &str) -> Result<RepositoryKey, Error> {
    if let Some(other) = registry_id.filter(|id| *id != context.account) {
        return Err(repository_not_found(name, other));
    }
    Ok(RepositoryKey { scope: scope(context), name: parse_name(name)? })
}

pub(super) fn parse_name(name: &str) -> Result<RepositoryName, Error> {
    name.parse().map_err(|_| {
        let pattern = "must satisfy regular expression \
                       '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'";
        invalid("repositoryName", pattern)
    })
}

/// The repository as it stands, with its key.
pub(super) fn find(
    shared: &Shared,
    context: &Context,
    registry_id: Option<&str>,
    name: &str,
) -> Result<(RepositoryKey, Repository), Error> {
    let key = key(context, registry_id, name)?;
    let index = shared.writer.index();
    let found = index.repository(&key).cloned();
    let repository = found.ok_or_else(|| repository_not_found(name, &context.account))?;
    Ok((key, repository))
}

pub(crate) fn arn(key: &RepositoryKey) -> String {
    format!("arn:aws:ecr:{}:{}:repository/{}", key.scope.region, key.scope.account, key.name)
}

pub(super) fn describe(
    shared: &Shared,
    context: &Context,
    key: &RepositoryKey,
    settings: &RepositorySettings,
) -> wire::ecr::Repository {
    let filters = exclusion_filters(&settings.mutability);
    wire::ecr::Repository {
        repository_arn: Some(arn(key)),
        registry_id: Some(key.scope.account.clone()),
        repository_name: Some(key.name.to_string()),
        repository_uri: Some(format!("{}/{}", shared.image_host(context), key.name)),
        created_at: Some(Timestamp::from_ms(settings.created_at_ms)),
        image_tag_mutability: Some(mutability_name(&settings.mutability)),
        image_tag_mutability_exclusion_filters: filters,
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(settings.scan_on_push),
        }),
        encryption_configuration: Some(EncryptionConfiguration {
            encryption_type: settings.encryption_type.parse().unwrap_or(EncryptionType::Aes256),
            kms_key: settings.kms_key.clone(),
        }),
    }
}

pub(super) fn mutability_name(mutability: &Mutability) -> ImageTagMutability {
    match (mutability.immutable, mutability.exclusions.is_empty()) {
        (false, true) => ImageTagMutability::Mutable,
        (true, true) => ImageTagMutability::Immutable,
        (false, false) => ImageTagMutability::MutableWithExclusion,
        (true, false) => ImageTagMutability::ImmutableWithExclusion,
    }
}

pub(super) fn exclusion_filters(mutability: &Mutability) -> Option<Vec<ImageTagMutabilityExclusionFilter>> {
    let filter = |filter: &String| ImageTagMutabilityExclusionFilter {
        filter: filter.clone(),
        filter_type: ImageTagMutabilityExclusionFilterType::Wildcard,
    };
    let filters: Vec<_> = mutability.exclusions.iter().map(filter).collect();
    (!filters.is_empty()).then_some(filters)
}

/// The rule that a request asks for. The exclusions and the value that needs them come together or not at all.
pub(super) fn mutability(
    name: Option<ImageTagMutability>,
    filters: Option<Vec<ImageTagMutabilityExclusionFilter>>,
) -> Result<Mutability, Error> {
    use ImageTagMutability as M;
    let name = name.unwrap_or(M::Mutable);
    let exclusions: Vec<String> = filters.unwrap_or_default().into_iter().map(|f| f.filter).collect();
    let wants_exclusions = matches!(name, M::ImmutableWithExclusion | M::MutableWithExclusion);
    let parameter = "imageTagMutabilityExclusionFilters";
    if wants_exclusions && exclusions.is_empty() {
        let constraint = format!("must be given when imageTagMutability is {name}");
        return Err(invalid(parameter, &constraint));
    }
    if !wants_exclusions && !exclusions.is_empty() {
        let constraint = format!("must not be given when imageTagMutability is {name}");
        return Err(invalid(parameter, &constraint));
    }
    let immutable = matches!(name, M::Immutable | M::ImmutableWithExclusion);
    Ok(Mutability { immutable, exclusions })
}
