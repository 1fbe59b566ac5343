//! What PutAttributes, DeleteAttributes and ListAttributes have in common.

use model::{ClusterKey, ContainerInstance, InstanceId, InstanceStatus, World};
use wire::ecs::Attribute;
use wire::{Context, Error};

use super::reference;
use crate::app::App;
use crate::arn;

/// Most attributes in one call.
const MOST: usize = 10;
const LENGTH: usize = 128;

pub(super) fn check_count(attributes: &[Attribute]) -> Result<(), Error> {
    match attributes.len() {
        0 => Err(Error::invalid_parameter("Attributes cannot be empty.")),
        1..=MOST => Ok(()),
        _ => Err(Error::invalid_parameter(format!("Attributes can have at most {MOST} items."))),
    }
}

/// A name that a user may give an attribute (ECS API reference, Attribute).
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_/\\.".contains(c);
    if !(1..=LENGTH).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(Error::invalid_parameter(format!(
            "The attribute name '{name}' is not valid: it has 1 to {LENGTH} letters, numbers and - _ / \\ ."
        )));
    }
    let attribute = model::Attribute { name: name.into(), value: None };
    if attribute.is_reserved() {
        return Err(Error::invalid_parameter(format!(
            "The attribute {name} is reserved: only the container agent sets it."
        )));
    }
    Ok(())
}

pub(super) fn check_value(value: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.@/\\: ".contains(c);
    let spaced = value.starts_with(' ') || value.ends_with(' ');
    if (1..=LENGTH).contains(&value.len()) && value.chars().all(allowed) && !spaced {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!(
        "The attribute value '{value}' is not valid: it has 1 to {LENGTH} letters, numbers, spaces within and \
         - _ . @ / \\ :"
    )))
}

/// The instance that an attribute names as its target, which must be the cluster's and not INACTIVE.
pub(super) fn target(
    context: &Context,
    world: &World,
    cluster: &ClusterKey,
    attribute: &Attribute,
) -> Result<InstanceId, Error> {
    let text = attribute.target_id.as_deref().filter(|text| !text.is_empty()).ok_or_else(|| {
        Error::invalid_parameter(format!("The attribute {} needs a targetId.", attribute.name))
    })?;
    if attribute.target_type.is_none() && !text.starts_with("arn:") {
        return Err(Error::invalid_parameter(
            "targetType is required where targetId is not the full ARN of the target.",
        ));
    }
    let id = reference::instance(context, cluster, text)?;
    match reference::instance_in(world, cluster, id) {
        Ok(instance) if instance.status != InstanceStatus::Inactive => Ok(id),
        _ => {
            Err(Error::new("TargetNotFoundException", format!("The specified target wasn't found: {text}.")))
        }
    }
}

/// As the API gives an attribute of an instance: the target by its ARN.
pub(super) fn to_wire(app: &App, instance: &ContainerInstance, attribute: &model::Attribute) -> Attribute {
    Attribute {
        name: attribute.name.to_string(),
        value: attribute.value.as_ref().map(ToString::to_string),
        target_id: Some(arn::instance(&instance.home, &app.config.home(), instance.id)),
        target_type: None,
    }
}

#[cfg(test)]
mod tests;
