use std::sync::Arc;

use model::ClusterStatus;
use wire::ecs::{ListClustersRequest, ListClustersResponse};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;
use crate::arn;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListClustersRequest,
) -> Result<ListClustersResponse, Error> {
    let listing =
        Listing::new("ListClusters", &context, [], input.max_results, 100, input.next_token.as_deref())?;
    let world = app.world();
    let scope = reference::scope(&context);
    let active = world.clusters(&scope).filter(|cluster| cluster.status == ClusterStatus::Active);
    let (page, next_token) = listing.page(active, |cluster| cluster.key.name.to_string());
    let cluster_arns = Some(page.iter().map(|cluster| arn::cluster(&cluster.key)).collect());
    Ok(ListClustersResponse { cluster_arns, next_token })
}
