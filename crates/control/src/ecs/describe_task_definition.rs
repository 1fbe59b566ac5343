use std::sync::Arc;

use wire::ecs::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField};
use wire::{Context, Error};

use super::reference;
use super::translate::{self, tags};
use crate::app::App;

/// A family's name alone means its latest ACTIVE revision.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse, Error> {
    let missing = || Error::client("Unable to describe task definition.");
    let world = app.world();
    let key = reference::definition(&context, &world, &input.task_definition, missing)?;
    let definition = world.definition(&key).ok_or_else(missing)?;
    let with_tags = input.include.is_some_and(|fields| fields.contains(&TaskDefinitionField::Tags));
    Ok(DescribeTaskDefinitionResponse {
        task_definition: Some(translate::definition::to_wire(definition)?),
        tags: tags::to_wire(&definition.tags).filter(|_| with_tags),
    })
}
