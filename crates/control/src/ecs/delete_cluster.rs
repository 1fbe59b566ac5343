use std::sync::Arc;

use model::Command;
use wire::ecs::{DeleteClusterRequest, DeleteClusterResponse};
use wire::{Context, Error};

use super::{reference, translate};
use crate::app::App;

/// The cluster stays describable as INACTIVE for a time.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse, Error> {
    let key = reference::active_cluster(&context, &app.world(), Some(&input.cluster))?;
    let done = app.submit(Command::DeleteCluster { key: key.clone() }).await?;
    let cluster =
        done.world.cluster(&key).map(|cluster| translate::cluster::to_wire(&done.world, cluster, &[]));
    Ok(DeleteClusterResponse { cluster })
}
