//! Task scale-in protection, as GetTaskProtection and UpdateTaskProtection give it.

use model::apply::Unprotectable;
use model::{ClusterKey, DesiredStatus, Task, TaskId};
use wire::ecs::{Failure, ProtectedTask};
use wire::{Context, Error, Timestamp};

use super::reference;
use crate::arn;

/// The tasks that a call names.
pub(super) fn tasks(
    context: &Context,
    cluster: &ClusterKey,
    named: &[String],
    most: usize,
) -> Result<Vec<TaskId>, Error> {
    match named.len() {
        0 => Err(Error::invalid_parameter("Tasks cannot be empty.")),
        count if count > most => {
            Err(Error::invalid_parameter(format!("Tasks can have at most {most} items.")))
        }
        _ => named.iter().map(|text| reference::task(context, cluster, text)).collect(),
    }
}

pub(super) fn to_wire(task: &Task, now_ms: u64) -> ProtectedTask {
    let protected = task.is_protected(now_ms) && task.desired_status == DesiredStatus::Running;
    ProtectedTask {
        task_arn: Some(arn::task(&task.cluster, task.id)),
        protection_enabled: Some(protected),
        expiration_date: task.protected_until_ms.filter(|_| protected).map(Timestamp::from_ms),
    }
}

/// ECS's reasons (developer guide, "Amazon ECS API failure reasons").
pub(super) fn failure(cluster: &ClusterKey, task: TaskId, why: Unprotectable) -> Failure {
    let (reason, detail) = match why {
        Unprotectable::Missing => ("MISSING", None),
        Unprotectable::Standalone => {
            ("TASK_NOT_VALID", Some("Only tasks that an Amazon ECS service manages can be protected."))
        }
        Unprotectable::Ending => ("TASK_NOT_VALID", Some("The task is stopping or has stopped.")),
        Unprotectable::Blocked => (
            "DEPLOYMENT_BLOCKED",
            Some(
                "The service would have more protected tasks than its desired count. End the protection of \
                 others, wait until it expires, or raise the desired count.",
            ),
        ),
    };
    Failure {
        arn: Some(arn::task(cluster, task)),
        reason: Some(reason.to_owned()),
        detail: detail.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
