use std::sync::Arc;

use model::{Command, DeploymentId, HookAction, Refusal};
use wire::ecs::{
    ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse, DeploymentLifecycleHookAction,
};
use wire::{Context, Error};

use super::errors::refused;
use super::reference;
use crate::app::App;

/// Says how a deployment that a hook has paused is to go on; the service's scheduler, woken by the commit, goes on.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ContinueServiceDeploymentRequest,
) -> Result<ContinueServiceDeploymentResponse, Error> {
    let arn = input.service_deployment_arn;
    let (service, id) = reference::service_deployment(&context, &arn)?;
    let (world, now_ms) = (app.world(), app.now_ms());
    let mut told = world.service_deployments(&service).filter(|record| record.is_told(now_ms));
    let record = told
        .find(|record| record.deployment.service_deployment() == id)
        .ok_or_else(|| refused(&Refusal::DeploymentNotFound(DeploymentId::from(id.as_str()))))?;
    let action = match input.action {
        None | Some(DeploymentLifecycleHookAction::Continue) => HookAction::Continue,
        Some(DeploymentLifecycleHookAction::Rollback) => HookAction::Rollback,
    };
    let hook = input.hook_id.as_str().into();
    let deployment = record.deployment.clone();
    app.submit(Command::ContinueDeployment { service: service.clone(), deployment, hook, action }).await?;
    Ok(ContinueServiceDeploymentResponse { service_deployment_arn: Some(arn) })
}
