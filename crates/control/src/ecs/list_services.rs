use std::sync::Arc;

use model::{Service, ServiceStatus};
use wire::ecs::{
    LaunchType, ListServicesRequest, ListServicesResponse, ResourceManagementType, SchedulingStrategy,
};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;
use crate::arn;

const MOST: u16 = 100;
/// Without `maxResults` a page has ten (ECS API reference, ListServices).
const USUAL: i32 = 10;

/// A service that drains is listed no more (ECS API reference, DeleteService).
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListServicesRequest,
) -> Result<ListServicesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let bound_to = [
        cluster.name.as_str(),
        input.launch_type.map_or("", LaunchType::as_str),
        input.scheduling_strategy.map_or("", SchedulingStrategy::as_str),
        input.resource_management_type.map_or("", ResourceManagementType::as_str),
    ];
    let listing = Listing::new(
        "ListServices",
        &context,
        bound_to,
        input.max_results.or(Some(USUAL)),
        MOST,
        input.next_token.as_deref(),
    )?;
    let matching = world.services(&cluster).filter(|service| matches(service, &input));
    let (page, next_token) = listing.page(matching, |service| service.key.name.to_string());
    let service_arns = Some(page.iter().map(|service| arn::service(&service.key)).collect());
    Ok(ListServicesResponse { service_arns, next_token })
}

fn matches(service: &Service, input: &ListServicesRequest) -> bool {
    // Services with a capacity provider strategy have no launch type of their own.
    let launch_type = service
        .primary()
        .filter(|primary| primary.capacity_strategy.is_empty())
        .map(|primary| primary.launch_type.as_str());
    service.status == ServiceStatus::Active
        && input.launch_type.is_none_or(|wanted| launch_type == Some(wanted.as_str()))
        && input.scheduling_strategy.is_none_or(|wanted| service.scheduling.as_str() == wanted.as_str())
        // The services that ECS manages by itself are those of its express mode.
        && input.resource_management_type.is_none_or(|wanted| wanted == ResourceManagementType::Customer)
}
