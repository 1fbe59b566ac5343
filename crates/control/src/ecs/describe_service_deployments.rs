use std::sync::Arc;

use wire::ecs::{DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::reference;
use super::translate::service_deployment as translate;
use crate::app::App;

/// Most service deployments in one call (ECS API reference, DescribeServiceDeployments).
const MOST: usize = 20;

/// Of one that isn't there, or is older than the history goes back, its failure says so.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeServiceDeploymentsRequest,
) -> Result<DescribeServiceDeploymentsResponse, Error> {
    let (world, now_ms) = (app.world(), app.now_ms());
    let arns = &input.service_deployment_arns;
    if arns.is_empty() {
        return Err(Error::invalid_parameter("Service deployment ARNs cannot be empty."));
    }
    if arns.len() > MOST {
        return Err(Error::invalid_parameter(format!(
            "Service deployment ARNs can have at most {MOST} items."
        )));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let (key, id) = reference::service_deployment(&context, arn)?;
        reference::known_service(&world, &key)?;
        let mut told = world.service_deployments(&key).filter(|record| record.is_told(now_ms));
        match told.find(|record| record.deployment.service_deployment() == id) {
            Some(record) => found.push(translate::to_wire(&world, record, now_ms)),
            None => failures.push(missing(arn.clone())),
        }
    }
    Ok(DescribeServiceDeploymentsResponse { service_deployments: Some(found), failures: Some(failures) })
}
