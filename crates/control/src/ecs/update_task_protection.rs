use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Command, apply};
use wire::ecs::{UpdateTaskProtectionRequest, UpdateTaskProtectionResponse};
use wire::{Context, Error};

use super::{protection, reference};
use crate::app::App;

/// Most tasks in one call.
const MOST: usize = 10;
/// How long protection lasts (ECS API reference, UpdateTaskProtection).
const USUAL_MINUTES: i32 = 120;
const MOST_MINUTES: i32 = 2880;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateTaskProtectionRequest,
) -> Result<UpdateTaskProtectionResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, Some(&input.cluster))?;
    let tasks = protection::tasks(&context, &cluster, &input.tasks, MOST)?;
    let minutes = input.expires_in_minutes.unwrap_or(USUAL_MINUTES);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(Error::invalid_parameter(format!(
            "expiresInMinutes must be between 1 and {MOST_MINUTES}."
        )));
    }
    let enable = input.protection_enabled;
    let until_ms = enable.then(|| app.now_ms() + u64::from(minutes.unsigned_abs()) * 60_000);
    let change = Command::ProtectTasks { cluster: cluster.clone(), tasks: tasks.clone(), until_ms };
    let done = app.submit(change).await?;

    // What came of each follows from the world after the change: refused are those that aren't so.
    let now_ms = app.now_ms();
    let mut found = BTreeMap::new();
    let mut failures = Vec::new();
    for id in tasks {
        let changed = done.world.task_in(&cluster, id).filter(|task| task.protected_until_ms == until_ms);
        let refused = apply::unprotectable(&done.world, &cluster, id, enable, now_ms);
        match (changed, refused) {
            (Some(task), None) => {
                found.insert(id, protection::to_wire(task, now_ms));
            }
            (_, why) => {
                let why = why.unwrap_or(apply::Unprotectable::Blocked);
                failures.push(protection::failure(&cluster, id, why));
            }
        }
    }
    let protected_tasks = Some(found.into_values().collect());
    Ok(UpdateTaskProtectionResponse { protected_tasks, failures: Some(failures) })
}
