use std::sync::Arc;

use model::Command;
use wire::ecs::{ClusterField, UpdateClusterRequest, UpdateClusterResponse};
use wire::{Context, Error};

use super::{cluster_change, reference, translate};
use crate::app::App;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateClusterRequest,
) -> Result<UpdateClusterResponse, Error> {
    let key = reference::active_cluster(&context, &app.world(), Some(&input.cluster))?;
    let change = cluster_change::change(
        input.settings.as_deref(),
        input.configuration.as_ref(),
        input.service_connect_defaults.as_ref(),
    )?;
    let done = app.submit(Command::UpdateCluster { key: key.clone(), change }).await?;
    let include = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations];
    let cluster =
        done.world.cluster(&key).map(|cluster| translate::cluster::to_wire(&done.world, cluster, &include));
    Ok(UpdateClusterResponse { cluster })
}
