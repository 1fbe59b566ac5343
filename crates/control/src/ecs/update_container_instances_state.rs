use std::sync::Arc;

use model::{Command, Home, InstanceStatus, Refusal};
use wire::ecs::{
    ContainerInstanceStatus, Failure, UpdateContainerInstancesStateRequest,
    UpdateContainerInstancesStateResponse,
};
use wire::{Context, Error};

use super::reference;
use super::translate::instance;
use crate::app::App;
use crate::arn;
use crate::writer::SubmitError;

/// Most instances in one call.
const MOST: usize = 10;

/// An instance that drains takes no new tasks, and its services' schedulers move theirs away; tasks of
/// no service stay until they end.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateContainerInstancesStateRequest,
) -> Result<UpdateContainerInstancesStateResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let status = match input.status {
        ContainerInstanceStatus::Active => InstanceStatus::Active,
        ContainerInstanceStatus::Draining => InstanceStatus::Draining,
        other => {
            return Err(Error::invalid_parameter(format!(
                "Container instances can't be set to {other}: the status is ACTIVE or DRAINING."
            )));
        }
    };
    if input.container_instances.is_empty() {
        return Err(Error::invalid_parameter("Container instances cannot be empty."));
    }
    if input.container_instances.len() > MOST {
        return Err(Error::invalid_parameter(format!("instanceIds can have at most {MOST} items.")));
    }
    let named = input.container_instances.iter();
    let ids =
        named.map(|text| reference::instance(&context, &cluster, text)).collect::<Result<Vec<_>, _>>()?;

    let home = app.config.home();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        let mut fail = |reason: &str| {
            failures.push(Failure {
                arn: Some(arn::instance(&Home::Cluster(cluster.clone()), &home, id)),
                reason: Some(reason.to_owned()),
                detail: None,
            });
        };
        if reference::instance_in(&world, &cluster, id).is_err() {
            fail("MISSING");
            continue;
        }
        match app.submit(Command::SetInstanceStatus { id, status }).await {
            Ok(done) => {
                found.extend(
                    done.world.instance(id).map(|one| instance::to_wire(&done.world, one, &home, &[])),
                );
            }
            Err(SubmitError::Refused(Refusal::InstanceNotFound(_))) => fail("MISSING"),
            Err(SubmitError::Refused(Refusal::InvalidTransition(..))) => fail("INACTIVE"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(UpdateContainerInstancesStateResponse { container_instances: Some(found), failures: Some(failures) })
}

#[cfg(test)]
mod tests;
