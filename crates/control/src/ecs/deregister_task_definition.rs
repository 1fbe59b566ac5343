use std::sync::Arc;

use model::{Command, DefinitionStatus};
use wire::ecs::{DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use wire::{Context, Error, arn};

use super::{reference, translate};
use crate::app::App;

/// What runs from the revision goes on running. One that is INACTIVE already is given back as it is.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse, Error> {
    // "You must specify a revision" (API reference): the latest is not meant by the family's name.
    if arn::task_definition(&input.task_definition).is_some_and(|named| named.revision.is_none()) {
        return Err(Error::client("Revision is missing."));
    }
    let missing = || Error::client("Unable to describe task definition.");
    let world = app.world();
    let key = reference::definition(&context, &world, &input.task_definition, missing)?;
    let status = world.definition(&key).map(|definition| definition.status);
    if status == Some(DefinitionStatus::DeleteInProgress) {
        return Err(Error::client("The specified task definition is in the process of being deleted."));
    }
    let done = app.submit(Command::DeregisterTaskDefinition { key: key.clone() }).await?;
    let definition = done.world.definition(&key).ok_or_else(missing)?;
    let task_definition = Some(translate::definition::to_wire(definition)?);
    Ok(DeregisterTaskDefinitionResponse { task_definition })
}
