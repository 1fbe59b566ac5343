use std::sync::Arc;

use model::{Command, ServiceStatus};
use wire::ecs::{DeleteServiceRequest, DeleteServiceResponse};
use wire::{Context, Error};

use super::reference;
use super::service::rules;
use super::translate::service as translate;
use crate::app::App;

/// The service drains: it is INACTIVE when its last task has stopped.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteServiceRequest,
) -> Result<DeleteServiceResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let key = reference::service(&context, &cluster, &input.service)?;
    // The operation has no error for a service that isn't ACTIVE (ECS API reference): it is gone.
    if world.service(&key).is_none_or(|service| service.status == ServiceStatus::Inactive) {
        return Err(rules::not_found());
    }
    let force = input.force.unwrap_or(false);
    let done = app.submit(Command::DeleteService { key: key.clone(), force }).await?;
    let service = done.world.service(&key).ok_or_else(rules::not_found)?;
    Ok(DeleteServiceResponse { service: Some(translate::to_wire(&done.world, service, &[])) })
}
