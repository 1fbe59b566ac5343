use std::sync::Arc;

use model::{Command, Event};
use wire::ecs::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use wire::{Context, Error};

use super::translate::{self, tags};
use super::{definition, reference};
use crate::app::App;

/// Gives the family its next revision. Registering the same twice makes two.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse, Error> {
    let new = definition::admit(input, reference::scope(&context), &context.principal_arn)?;
    let done = app.submit(Command::RegisterTaskDefinition(Box::new(new))).await?;
    let registered = done.events().iter().find_map(|event| match event {
        Event::DefinitionRegistered(definition) => Some(definition),
        _ => None,
    });
    let registered =
        registered.ok_or_else(|| Error::server("The task definition was registered but is not there."))?;
    Ok(RegisterTaskDefinitionResponse {
        task_definition: Some(translate::definition::to_wire(registered)?),
        tags: tags::to_wire(&registered.tags).filter(|tags| !tags.is_empty()),
    })
}

#[cfg(test)]
mod tests;
