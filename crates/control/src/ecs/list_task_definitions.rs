use std::sync::Arc;

use model::DefinitionStatus;
use wire::ecs::{ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;
use crate::arn;

/// By family, then revision; `familyPrefix` is a family's whole name here (API reference).
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse, Error> {
    let wanted = input.status.unwrap_or(TaskDefinitionStatus::Active);
    let descending = input.sort == Some(SortOrder::Desc);
    let family = input.family_prefix.as_deref().filter(|family| !family.is_empty());
    let filters = [wanted.as_str(), if descending { "DESC" } else { "ASC" }, family.unwrap_or_default()];
    let listing = Listing::new(
        "ListTaskDefinitions",
        &context,
        filters,
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let status = wanted.as_str().parse().unwrap_or(DefinitionStatus::Active);
    let world = app.world();
    let scope = reference::scope(&context);
    let matching = world
        .definitions(&scope)
        .filter(|definition| definition.status == status)
        .filter(|definition| family.is_none_or(|family| definition.key.family.as_str() == family));
    // A space sorts before everything that a family's name may have, and ten digits hold any revision.
    let position = |definition: &&Arc<model::TaskDefinition>| {
        format!("{} {:010}", definition.key.family, definition.key.revision.0)
    };
    let (page, next_token) = if descending {
        listing.page_descending(matching.rev(), position)
    } else {
        listing.page(matching, position)
    };
    let arns = page.iter().map(|definition| arn::definition(&definition.key)).collect();
    Ok(ListTaskDefinitionsResponse { task_definition_arns: Some(arns), next_token })
}

#[cfg(test)]
mod tests;
