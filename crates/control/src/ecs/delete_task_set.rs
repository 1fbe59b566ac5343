use std::sync::Arc;

use model::Command;
use wire::ecs::{DeleteTaskSetRequest, DeleteTaskSetResponse};
use wire::{Context, Error};

use super::{reference, task_set};
use crate::app::App;

/// The task set drains: it is gone when its last task has stopped.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteTaskSetRequest,
) -> Result<DeleteTaskSetResponse, Error> {
    let world = app.world();
    let service = task_set::service_of(&context, &world, &input.cluster, &input.service)?;
    let (key, set) = (service.key.clone(), reference::task_set(&context, &service.key, &input.task_set)?);
    let force = input.force.unwrap_or(false);
    let command = Command::DeleteTaskSet { service: key.clone(), set: set.clone(), force };
    let done = app.submit(command).await?;
    Ok(DeleteTaskSetResponse { task_set: Some(task_set::shown(&done.world, &key, &set, false)?) })
}
