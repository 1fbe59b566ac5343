use std::sync::Arc;

use wire::ecs::{DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse};
use wire::{Context, Error};

use super::errors::missing;
use super::reference;
use super::translate::service_revision as translate;
use crate::app::App;

/// Most service revisions in one call (ECS API reference, DescribeServiceRevisions).
const MOST: usize = 20;

/// Of one that isn't there its failure says so.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeServiceRevisionsRequest,
) -> Result<DescribeServiceRevisionsResponse, Error> {
    let world = app.world();
    let arns = &input.service_revision_arns;
    if arns.is_empty() {
        return Err(Error::invalid_parameter("Service revision ARNs cannot be empty."));
    }
    if arns.len() > MOST {
        return Err(Error::invalid_parameter(format!(
            "Service revision ARNs can have at most {MOST} items."
        )));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        let (key, id) = reference::service_revision(&context, arn)?;
        reference::known_service(&world, &key)?;
        match world.service_revisions(&key).find(|revision| revision.deployment.revision() == id) {
            Some(revision) => found.push(translate::to_wire(&world, revision)),
            None => failures.push(missing(arn.clone())),
        }
    }
    Ok(DescribeServiceRevisionsResponse { service_revisions: Some(found), failures: Some(failures) })
}
