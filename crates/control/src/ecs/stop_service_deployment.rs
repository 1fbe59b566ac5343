use std::sync::Arc;

use model::{Command, DeploymentId, Refusal, StopType};
use wire::ecs::{StopServiceDeploymentRequest, StopServiceDeploymentResponse, StopServiceDeploymentStopType};
use wire::{Context, Error};

use super::errors::refused;
use super::reference;
use crate::app::App;

/// Asks for it; the service's scheduler, woken by the commit, does it. One that ends already goes on ending.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: StopServiceDeploymentRequest,
) -> Result<StopServiceDeploymentResponse, Error> {
    let arn = input.service_deployment_arn;
    let (service, id) = reference::service_deployment(&context, &arn)?;
    let (world, now_ms) = (app.world(), app.now_ms());
    let mut told = world.service_deployments(&service).filter(|record| record.is_told(now_ms));
    let record = told
        .find(|record| record.deployment.service_deployment() == id)
        .ok_or_else(|| refused(&Refusal::DeploymentNotFound(DeploymentId::from(id.as_str()))))?;
    let stop = match input.stop_type {
        None | Some(StopServiceDeploymentStopType::Rollback) => StopType::Rollback,
        Some(StopServiceDeploymentStopType::Abort) => StopType::Abort,
    };
    let command =
        Command::StopDeployment { service: service.clone(), deployment: record.deployment.clone(), stop };
    app.submit(command).await?;
    Ok(StopServiceDeploymentResponse { service_deployment_arn: Some(arn) })
}
