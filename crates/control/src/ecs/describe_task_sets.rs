use std::sync::Arc;

use wire::ecs::{DescribeTaskSetsRequest, DescribeTaskSetsResponse, Failure, TaskSetField};
use wire::{Context, Error};

use super::translate::task_set as translate;
use super::{reference, task_set};
use crate::app::App;
use crate::arn;

/// All of the service's, or those that are named; one that isn't there is a failure in the answer, not an error.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeTaskSetsRequest,
) -> Result<DescribeTaskSetsResponse, Error> {
    let world = app.world();
    let service = task_set::service_of(&context, &world, &input.cluster, &input.service)?;
    let with_tags = input.include.unwrap_or_default().contains(&TaskSetField::Tags);
    let named = input.task_sets.unwrap_or_default();
    if named.is_empty() {
        let task_sets = Some(translate::all(&world, service, with_tags));
        return Ok(DescribeTaskSetsResponse { task_sets, failures: Some(Vec::new()) });
    }
    let (mut task_sets, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        let id = reference::task_set(&context, &service.key, text)?;
        let found =
            service.deployment(&id).and_then(|set| translate::to_wire(&world, service, set, with_tags));
        match found {
            Some(found) => task_sets.push(found),
            None => failures.push(Failure {
                arn: Some(arn::task_set(&service.key, &id)),
                reason: Some("MISSING".to_owned()),
                ..Failure::default()
            }),
        }
    }
    Ok(DescribeTaskSetsResponse { task_sets: Some(task_sets), failures: Some(failures) })
}
