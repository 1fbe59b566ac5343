use std::collections::BTreeMap;
use std::sync::Arc;

use model::DefinitionStatus;
use wire::ecs::{
    ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse, TaskDefinitionFamilyStatus,
};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;

/// A family is ACTIVE while one of its revisions is, and is gone when all of them are.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse, Error> {
    let status = input.status.unwrap_or(TaskDefinitionFamilyStatus::All);
    let prefix = input.family_prefix.as_deref().unwrap_or_default();
    let listing = Listing::new(
        "ListTaskDefinitionFamilies",
        &context,
        [status.as_str(), prefix],
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let world = app.world();
    let mut families: BTreeMap<&str, bool> = BTreeMap::new();
    for definition in world.definitions(&reference::scope(&context)) {
        let active = families.entry(definition.key.family.as_str()).or_default();
        *active |= definition.status == DefinitionStatus::Active;
    }
    let wanted = |active: bool| match status {
        TaskDefinitionFamilyStatus::All => true,
        TaskDefinitionFamilyStatus::Active => active,
        TaskDefinitionFamilyStatus::Inactive => !active,
    };
    let matching = families
        .into_iter()
        .filter(|(family, active)| family.starts_with(prefix) && wanted(*active))
        .map(|(family, _)| family.to_owned());
    let (families, next_token) = listing.page(matching, String::clone);
    Ok(ListTaskDefinitionFamiliesResponse { families: Some(families), next_token })
}
