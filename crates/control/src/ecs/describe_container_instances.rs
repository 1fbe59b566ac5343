use std::sync::Arc;

use wire::ecs::{DescribeContainerInstancesRequest, DescribeContainerInstancesResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::reference;
use super::translate::instance;
use crate::app::App;
use crate::arn;

/// Most instances in one call.
const MOST: usize = 100;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeContainerInstancesRequest,
) -> Result<DescribeContainerInstancesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    if input.container_instances.is_empty() {
        return Err(Error::invalid_parameter("Container instances cannot be empty."));
    }
    if input.container_instances.len() > MOST {
        return Err(Error::invalid_parameter(format!("instanceIds can have at most {MOST} items.")));
    }
    let include = input.include.unwrap_or_default();
    let home = app.config.home();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in &input.container_instances {
        let id = reference::instance(&context, &cluster, text)?;
        match reference::instance_in(&world, &cluster, id) {
            Ok(known) => found.push(instance::to_wire(&world, known, &home, &include)),
            Err(_) => {
                failures.push(missing(arn::instance(&model::Home::Cluster(cluster.clone()), &home, id)))
            }
        }
    }
    Ok(DescribeContainerInstancesResponse { container_instances: Some(found), failures: Some(failures) })
}
