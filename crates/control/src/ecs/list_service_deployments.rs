use std::sync::Arc;

use model::{ServiceDeployment, ServiceKey, World};
use wire::ecs::{self, ListServiceDeploymentsRequest, ListServiceDeploymentsResponse};
use wire::{Context, Error, arn};

use super::listing::Listing;
use super::reference;
use super::translate::service_deployment as translate;
use crate::app::App;

const MOST: u16 = 100;
/// Without `maxResults` a page has twenty (ECS API reference, ListServiceDeployments).
const USUAL: i32 = 20;

/// The newest first, which is what those want who ask for one.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListServiceDeploymentsRequest,
) -> Result<ListServiceDeploymentsResponse, Error> {
    let (world, now_ms) = (app.world(), app.now_ms());
    let key = service(&context, &world, &input)?;
    let mut bound_to = vec![key.cluster.name.to_string(), key.name.to_string()];
    let created = input.created_at.as_ref();
    for bound in [created.and_then(|at| at.after), created.and_then(|at| at.before)] {
        bound_to.push(bound.map(|at| at.ms().to_string()).unwrap_or_default());
    }
    bound_to.extend(input.status.iter().flatten().map(|status| status.as_str().to_owned()));
    let listing = Listing::new(
        "ListServiceDeployments",
        &context,
        bound_to.iter().map(String::as_str),
        input.max_results.or(Some(USUAL)),
        MOST,
        input.next_token.as_deref(),
    )?;
    let told = world.service_deployments(&key).rev().filter(|record| record.is_told(now_ms));
    let matching = told.filter(|record| matches(record, &input));
    // The numbers have no more digits than this.
    let (page, next_token) = listing.page_descending(matching, |record| format!("{:020}", record.number));
    let service_deployments = Some(page.into_iter().map(|record| translate::brief(record)).collect());
    Ok(ListServiceDeploymentsResponse { service_deployments, next_token })
}

/// A service's ARN says its cluster too, also where the call names none.
fn service(
    context: &Context,
    world: &World,
    input: &ListServiceDeploymentsRequest,
) -> Result<ServiceKey, Error> {
    let in_arn = arn::service(&input.service).and_then(|named| named.cluster.filter(|_| named.arn.is_some()));
    let cluster = reference::active_cluster(context, world, input.cluster.as_deref().or(in_arn.as_deref()))?;
    let key = reference::service(context, &cluster, &input.service)?;
    reference::known_service(world, &key)?;
    Ok(key)
}

fn matches(record: &ServiceDeployment, input: &ListServiceDeploymentsRequest) -> bool {
    let statuses = input.status.as_deref().unwrap_or_default();
    let is = |wanted: &ecs::ServiceDeploymentStatus| wanted.as_str() == record.status.as_str();
    let (after, before) = match &input.created_at {
        Some(created) => (created.after, created.before),
        None => (None, None),
    };
    (statuses.is_empty() || statuses.iter().any(is))
        && after.is_none_or(|after| record.created_at_ms > after.ms())
        && before.is_none_or(|before| record.created_at_ms < before.ms())
}
