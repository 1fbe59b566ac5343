use std::sync::Arc;

use model::apply::Unprotectable;
use wire::ecs::{GetTaskProtectionRequest, GetTaskProtectionResponse};
use wire::{Context, Error};

use super::{protection, reference};
use crate::app::App;

/// Most tasks in one call.
const MOST: usize = 100;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: GetTaskProtectionRequest,
) -> Result<GetTaskProtectionResponse, Error> {
    let (world, now_ms) = (app.world(), app.now_ms());
    let cluster = reference::active_cluster(&context, &world, Some(&input.cluster))?;
    let tasks = protection::tasks(&context, &cluster, input.tasks.as_deref().unwrap_or_default(), MOST)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in tasks {
        match world.task_in(&cluster, id) {
            None => failures.push(protection::failure(&cluster, id, Unprotectable::Missing)),
            Some(task) if task.service.is_none() => {
                failures.push(protection::failure(&cluster, id, Unprotectable::Standalone));
            }
            Some(task) => found.push(protection::to_wire(task, now_ms)),
        }
    }
    Ok(GetTaskProtectionResponse { protected_tasks: Some(found), failures: Some(failures) })
}
