use std::sync::Arc;

use wire::ecs::{DescribeServicesRequest, DescribeServicesResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::reference;
use super::translate::service as translate;
use crate::app::App;
use crate::arn;

/// Most services in one call.
const MOST: usize = 10;

/// Of every status. A service that isn't there is a failure in the answer, not an error.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeServicesRequest,
) -> Result<DescribeServicesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    if input.services.len() > MOST {
        return Err(Error::invalid_parameter(format!("Services can have at most {MOST} items.")));
    }
    let include = input.include.unwrap_or_default();
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for text in &input.services {
        let key = reference::service(&context, &cluster, text)?;
        match world.service(&key) {
            Some(service) => services.push(translate::to_wire(&world, service, &include)),
            None => failures.push(missing(arn::service(&key))),
        }
    }
    Ok(DescribeServicesResponse { services: Some(services), failures: Some(failures) })
}
