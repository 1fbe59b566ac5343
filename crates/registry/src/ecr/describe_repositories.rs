//! `DescribeRepositories`: those named, or all in pages.

use wire::{
    Context, Error,
    ecr::{DescribeRepositoriesRequest, DescribeRepositoriesResponse},
    page,
};

use super::{
    error::invalid,
    repository::{describe, find, scope},
};
use crate::{
    Shared,
    name::RepositoryName,
    state::entities::{RepositoryKey, RepositorySettings},
};

/// When the request names no `maxResults` (API reference).
const DEFAULT_PAGE: i32 = 100;
const OPERATION: &str = "DescribeRepositories";

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, Error> {
    let registry_id = input.registry_id.as_deref();
    if let Some(names) = input.repository_names {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid(
                "maxResults",
                "maxResults and nextToken can not be used with repositoryNames",
            ));
        }
        let describe = |name: &String| {
            let (key, repository) = find(shared, context, registry_id, name)?;
            Ok(describe(shared, context, &key, &repository.settings))
        };
        let repositories = names.iter().map(describe).collect::<Result<_, Error>>()?;
        return Ok(DescribeRepositoriesResponse { repositories: Some(repositories), next_token: None });
    }
    // Nobody's registry but the caller's own is open to them, so another has nothing to show.
    let is_own = registry_id.is_none_or(|id| id == context.account);
    let scope = scope(context);
    let filters = [scope.account.as_str(), scope.region.as_str()];
    let after = match &input.next_token {
        Some(token) => Some(
            page::decode(OPERATION, &filters, token)?
                .parse::<RepositoryName>()
                .map_err(|_| Error::invalid_parameter("Invalid token"))?,
        ),
        None => None,
    };
    let limit = usize::try_from(input.max_results.unwrap_or(DEFAULT_PAGE)).unwrap_or(1);
    let index = shared.writer.index();
    let rest = index.repositories_of(&scope, after.as_ref()).filter(|_| is_own);
    let position = |(name, _): &(&RepositoryName, _)| name.to_string();
    let token = |at: &str| page::encode(OPERATION, &filters, at);
    let named = rest.map(|(name, repository)| (name, &repository.settings));
    let (repositories, next_token) = page::page(named, limit, position, token);
    let describe = |(name, settings): (&RepositoryName, &RepositorySettings)| {
        let key = RepositoryKey { scope: scope.clone(), name: name.clone() };
        describe(shared, context, &key, settings)
    };
    Ok(DescribeRepositoriesResponse {
        repositories: Some(repositories.into_iter().map(describe).collect()),
        next_token,
    })
}
