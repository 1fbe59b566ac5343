use std::sync::Arc;

use model::Command;
use wire::ecs::{UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse};
use wire::{Context, Error};

use super::{reference, task_set};
use crate::app::App;

/// The one that was is ACTIVE from then on.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateServicePrimaryTaskSetRequest,
) -> Result<UpdateServicePrimaryTaskSetResponse, Error> {
    let world = app.world();
    let service = task_set::service_of(&context, &world, &input.cluster, &input.service)?;
    let (key, set) =
        (service.key.clone(), reference::task_set(&context, &service.key, &input.primary_task_set)?);
    let command = Command::SetPrimaryTaskSet { service: key.clone(), set: set.clone() };
    let done = app.submit(command).await?;
    Ok(UpdateServicePrimaryTaskSetResponse {
        task_set: Some(task_set::shown(&done.world, &key, &set, false)?),
    })
}
