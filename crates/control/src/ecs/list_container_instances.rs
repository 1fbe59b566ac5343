use std::sync::Arc;

use model::{Home, InstanceStatus};
use plan::query::Expression;
use wire::ecs::{ContainerInstanceStatus, ListContainerInstancesRequest, ListContainerInstancesResponse};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;
use crate::arn;

/// Without a status, all but INACTIVE ones.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse, Error> {
    let filter = input.filter.as_deref().filter(|filter| !filter.is_empty());
    let expression = filter
        .map(Expression::parse)
        .transpose()
        .map_err(|malformed| Error::invalid_parameter(format!("Invalid filter: {malformed}.")))?;
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let status = input.status.map_or("", ContainerInstanceStatus::as_str);
    let listing = Listing::new(
        "ListContainerInstances",
        &context,
        [cluster.name.as_str(), status, filter.unwrap_or_default()],
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let home = Home::Cluster(cluster.clone());
    let wanted = world.instances(&home).filter(|instance| {
        let in_status = if status.is_empty() {
            instance.status != InstanceStatus::Inactive
        } else {
            instance.status.as_str() == status
        };
        in_status && expression.as_ref().is_none_or(|expression| expression.matches(&world, instance))
    });
    let (page, next_token) = listing.page(wanted, |instance| instance.id.to_string());
    let arns = page.iter().map(|instance| arn::instance(&instance.home, &app.config.home(), instance.id));
    Ok(ListContainerInstancesResponse { container_instance_arns: Some(arns.collect()), next_token })
}

#[cfg(test)]
mod tests;
