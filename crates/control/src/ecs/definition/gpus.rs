//! `resourceRequirements`: how many GPUs a container asks for (API reference, ResourceRequirement).

use wire::Error;
use wire::ecs::{ResourceRequirement, ResourceType};

use super::proposed::{Proposed, name};
use super::refusal::own;

/// In AWS's words.
pub(crate) const NOT_ON_FARGATE: &str =
    "Tasks using the Fargate launch type do not support GPU resource requirements.";

/// Why a container's requirements can't be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// AWS wouldn't take it either.
    Invalid(String),
    /// Longshore doesn't have what is named.
    Unsupported(String),
}

pub(super) fn check_all(proposed: &Proposed<'_>) -> Result<(), Error> {
    for container in proposed.containers {
        let requirements = container.resource_requirements.as_deref().unwrap_or_default();
        check(name(container), requirements).map_err(|unfit| match unfit {
            Unfit::Invalid(text) => own(text),
            Unfit::Unsupported(what) => Error::new(
                "UnsupportedFeatureException",
                format!("Longshore does not implement {what} of ecs:RegisterTaskDefinition yet."),
            ),
        })?;
    }
    Ok(())
}

pub(crate) fn check(container: &str, requirements: &[ResourceRequirement]) -> Result<(), Unfit> {
    for (n, requirement) in requirements.iter().enumerate() {
        match requirement.r#type {
            ResourceType::Gpu => check_gpu(container, requirement)?,
            // Its value is the name of an inference accelerator of the definition, which can have none.
            ResourceType::InferenceAccelerator => {
                return Err(Unfit::Invalid(format!(
                    "Container '{container}' requires an inference accelerator that the task definition doesn't have."
                )));
            }
            ResourceType::NeuronDevice => {
                return Err(Unfit::Unsupported("resourceRequirements of the type NeuronDevice".to_owned()));
            }
        }
        if requirements[..n].iter().any(|other| other.r#type == requirement.r#type) {
            return Err(Unfit::Invalid(format!(
                "Container '{container}' names the resource requirement {} more than once.",
                requirement.r#type
            )));
        }
    }
    Ok(())
}

fn check_gpu(container: &str, requirement: &ResourceRequirement) -> Result<(), Unfit> {
    if requirement.sharing_strategy.is_some() {
        return Err(Unfit::Unsupported("resourceRequirements with a sharingStrategy".to_owned()));
    }
    match requirement.value.as_deref() {
        Some("ALL") => Err(Unfit::Unsupported("resourceRequirements with the value ALL".to_owned())),
        Some(value) if number(value).is_some() => Ok(()),
        _ => Err(Unfit::Invalid(format!(
            "Invalid 'resourceRequirements' setting for container '{container}'. \
             The value of the type GPU must be a whole number of at least 1."
        ))),
    }
}

fn number(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|count| digits && *count > 0)
}

/// What the requirements come to once they are checked.
pub(crate) fn count(requirements: &[ResourceRequirement]) -> u32 {
    let gpu = |requirement: &&ResourceRequirement| requirement.r#type == ResourceType::Gpu;
    let asked = requirements.iter().find(gpu).and_then(|requirement| requirement.value.as_deref());
    asked.and_then(number).unwrap_or(0)
}
