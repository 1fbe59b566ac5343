use std::sync::Arc;

use wire::ecs::{DescribeClustersRequest, DescribeClustersResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::{reference, translate};
use crate::app::App;
use crate::arn;

/// Most clusters in one call.
const MOST: usize = 100;

/// A cluster that isn't there is a failure in the answer, not an error.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeClustersRequest,
) -> Result<DescribeClustersResponse, Error> {
    let world = app.world();
    let include = input.include.unwrap_or_default();
    let names = input.clusters.filter(|names| !names.is_empty());
    let names = names.unwrap_or_else(|| vec![reference::DEFAULT_CLUSTER.to_owned()]);
    if names.len() > MOST {
        return Err(Error::invalid_parameter(format!("Clusters cannot have more than {MOST} entries.")));
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match reference::cluster(&context, Some(&name)) {
            Ok(key) => match world.cluster(&key) {
                Some(cluster) => clusters.push(translate::cluster::to_wire(&world, cluster, &include)),
                None => failures.push(missing(arn::cluster(&key))),
            },
            Err(_) if name.starts_with("arn:") => failures.push(missing(name)),
            Err(error) => return Err(error),
        }
    }
    Ok(DescribeClustersResponse { clusters: Some(clusters), failures: Some(failures) })
}
