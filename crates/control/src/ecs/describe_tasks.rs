use std::sync::Arc;

use wire::ecs::{DescribeTasksRequest, DescribeTasksResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::reference;
use super::translate::task as translate;
use crate::app::App;
use crate::arn;

/// Most tasks in one call.
const MOST: usize = 100;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeTasksRequest,
) -> Result<DescribeTasksResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    if input.tasks.is_empty() {
        return Err(Error::invalid_parameter("Tasks cannot be empty."));
    }
    if input.tasks.len() > MOST {
        return Err(Error::invalid_parameter(format!("Tasks can have at most {MOST} items.")));
    }
    let include = input.include.unwrap_or_default();
    let home = app.config.home();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for text in &input.tasks {
        let id = reference::task(&context, &cluster, text)?;
        match world.task_in(&cluster, id) {
            Some(task) => tasks.push(translate::to_wire(&world, task, &home, &include)),
            None => failures.push(missing(arn::task(&cluster, id))),
        }
    }
    Ok(DescribeTasksResponse { tasks: Some(tasks), failures: Some(failures) })
}
