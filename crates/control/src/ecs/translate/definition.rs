//! A task definition as the API gives it.

use model::TaskDefinition;
use wire::ecs::{self, Attribute};
use wire::{Error, Timestamp};

use crate::arn;

/// What was registered, with what registration and the time since have added.
pub(crate) fn to_wire(definition: &TaskDefinition) -> Result<ecs::TaskDefinition, Error> {
    let document: ecs::TaskDefinition = definition.document.to().map_err(|error| {
        Error::server(format!("The task definition {} can't be read: {error}.", definition.key))
    })?;
    let attribute = |attribute: &model::Attribute| Attribute {
        name: attribute.name.to_string(),
        value: attribute.value.as_deref().map(ToOwned::to_owned),
        ..Attribute::default()
    };
    Ok(ecs::TaskDefinition {
        task_definition_arn: Some(arn::definition(&definition.key)),
        family: Some(definition.key.family.to_string()),
        revision: i32::try_from(definition.key.revision.0).ok(),
        status: definition.status.as_str().parse().ok(),
        compatibilities: Some(
            definition
                .compatibilities
                .iter()
                .filter_map(|launch_type| launch_type.as_str().parse().ok())
                .collect(),
        ),
        requires_attributes: Some(definition.requires_attributes.iter().map(attribute).collect()),
        registered_at: Some(Timestamp::from_ms(definition.registered_at_ms)),
        registered_by: definition.registered_by.as_deref().map(ToOwned::to_owned),
        deregistered_at: definition.deregistered_at_ms.map(Timestamp::from_ms),
        delete_requested_at: definition.delete_requested_at_ms.map(Timestamp::from_ms),
        ..document
    })
}
