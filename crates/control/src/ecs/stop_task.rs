use std::sync::Arc;

use model::{Command, StopCode};
use wire::ecs::{StopTaskRequest, StopTaskResponse};
use wire::{Context, Error};

use super::reference;
use super::translate::task as translate;
use crate::app::App;

/// AWS's bound on a reason.
const REASON_LENGTH: usize = 1024;

/// The task is told to stop: its containers get SIGTERM, and SIGKILL after their `stopTimeout`. A task
/// that is stopping or stopped already is answered as it is.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: StopTaskRequest,
) -> Result<StopTaskResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let task = reference::task(&context, &cluster, &input.task)?;
    let reason =
        input.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("Task stopped by user");
    if reason.chars().count() > REASON_LENGTH {
        return Err(Error::invalid_parameter(format!("reason can have at most {REASON_LENGTH} characters.")));
    }
    let stop = Command::StopTask { cluster, task, code: StopCode::UserInitiated, reason: reason.into() };
    let done = app.submit(stop).await?;
    let include = [wire::ecs::TaskField::Tags];
    let task =
        done.world.task(task).map(|task| translate::to_wire(&done.world, task, &app.config.home(), &include));
    Ok(StopTaskResponse { task })
}
