use std::sync::Arc;

use model::{Home, InstanceStatus};
use wire::ecs::{ListAttributesRequest, ListAttributesResponse};
use wire::{Context, Error};

use super::listing::Listing;
use super::{attributes, reference};
use crate::app::App;

/// One entry for each attribute of each container instance that isn't INACTIVE.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListAttributesRequest,
) -> Result<ListAttributesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let name = input.attribute_name.as_deref().filter(|name| !name.is_empty());
    let value = input.attribute_value.as_deref().filter(|value| !value.is_empty());
    if value.is_some() && name.is_none() {
        return Err(Error::invalid_parameter("attributeValue needs an attributeName."));
    }
    let bound_to = [cluster.name.as_str(), name.unwrap_or_default(), value.unwrap_or_default()];
    let listing = Listing::new(
        "ListAttributes",
        &context,
        bound_to,
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let home = Home::Cluster(cluster.clone());
    let instances = world.instances(&home).filter(|instance| instance.status != InstanceStatus::Inactive);
    let matching = instances.flat_map(|instance| {
        let all = instance.all_attributes().into_values();
        all.map(move |attribute| (instance, attribute)).filter(|(_, attribute)| {
            name.is_none_or(|name| *attribute.name == *name)
                && value.is_none_or(|value| attribute.value.as_deref() == Some(value))
        })
    });
    // A space sorts before everything that a name may have.
    let (page, next_token) =
        listing.page(matching, |(instance, attribute)| format!("{} {}", instance.id, attribute.name));
    let shown = page.iter().map(|(instance, attribute)| attributes::to_wire(&app, instance, attribute));
    Ok(ListAttributesResponse { attributes: Some(shown.collect()), next_token })
}
