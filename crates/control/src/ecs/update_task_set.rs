use std::sync::Arc;

use model::Command;
use wire::ecs::{UpdateTaskSetRequest, UpdateTaskSetResponse};
use wire::{Context, Error};

use super::{reference, task_set};
use crate::app::App;

/// Changes how many tasks it is to have.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateTaskSetRequest,
) -> Result<UpdateTaskSetResponse, Error> {
    let world = app.world();
    let service = task_set::service_of(&context, &world, &input.cluster, &input.service)?;
    let (key, set) = (service.key.clone(), reference::task_set(&context, &service.key, &input.task_set)?);
    let scale = task_set::scale(Some(&input.scale))?;
    let command = Command::ScaleTaskSet { service: key.clone(), set: set.clone(), scale };
    let done = app.submit(command).await?;
    Ok(UpdateTaskSetResponse { task_set: Some(task_set::shown(&done.world, &key, &set, false)?) })
}
