use std::sync::Arc;

use model::Command;
use wire::ecs::{DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse};
use wire::{Context, Error};

use super::reference;
use super::translate::instance;
use crate::app::App;

/// Without `force`, an instance that runs tasks stays.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let id = reference::instance(&context, &cluster, &input.container_instance)?;
    reference::instance_in(&world, &cluster, id)?;
    let force = input.force.unwrap_or(false);
    let done = app.submit(Command::DeregisterInstance { id, force }).await?;
    let container_instance =
        done.world.instance(id).map(|found| instance::to_wire(&done.world, found, &app.config.home(), &[]));
    Ok(DeregisterContainerInstanceResponse { container_instance })
}
