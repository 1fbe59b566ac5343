//! RunTask's overrides, checked against the definition that they change.

use model::{Document, LaunchType, Size, TaskDefinition};
use wire::{Error, ecs};

use crate::ecs::definition::size;

/// AWS's bound on the overrides' JSON text.
const MOST_BYTES: usize = 8192;

/// What the overrides come to.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// Recorded and merged into what the agent is told.
    pub document: Option<Document>,
    /// Where they change the task's size.
    pub size: Option<Size>,
    pub ephemeral_storage_gib: Option<u32>,
}

pub(crate) fn check(
    definition: &TaskDefinition,
    launch_type: LaunchType,
    overrides: Option<&ecs::TaskOverride>,
) -> Result<Overrides, Error> {
    let Some(overrides) = overrides else { return Ok(Overrides::default()) };
    for container in overrides.container_overrides.iter().flatten() {
        let name = container
            .name
            .as_deref()
            .ok_or_else(|| Error::invalid_parameter("Container override name cannot be empty."))?;
        if !definition.containers.iter().any(|known| *known.name == *name) {
            return Err(Error::invalid_parameter(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
        if container.environment.iter().flatten().any(|pair| pair.name.as_deref().is_none_or(str::is_empty)) {
            return Err(Error::invalid_parameter("Environment variable name can not be blank."));
        }
        for (what, value) in [("cpu", container.cpu), ("memory", container.memory)] {
            if value.is_some_and(|value| value < 0) {
                return Err(Error::invalid_parameter(format!("The override of {what} can't be negative.")));
            }
        }
    }
    let document =
        Document::of(overrides).map_err(|_| Error::server("The overrides could not be recorded."))?;
    if document.text().len() > MOST_BYTES {
        return Err(Error::invalid_parameter(format!(
            "Container Overrides length must be at most {MOST_BYTES}"
        )));
    }
    let storage = overrides.ephemeral_storage.as_ref().map(|storage| storage.size_in_gib);
    if storage.is_some_and(|gib| !(21..=200).contains(&gib)) {
        return Err(Error::invalid_parameter("Ephemeral storage must be between 21 and 200 GiB."));
    }
    Ok(Overrides {
        document: Some(document),
        size: size(definition, launch_type, overrides)?,
        ephemeral_storage_gib: storage.and_then(|gib| u32::try_from(gib).ok()),
    })
}

fn size(
    definition: &TaskDefinition,
    launch_type: LaunchType,
    overrides: &ecs::TaskOverride,
) -> Result<Option<Size>, Error> {
    if overrides.cpu.is_none() && overrides.memory.is_none() {
        return Ok(None);
    }
    let demand = definition.demand();
    let cpu = overrides.cpu.as_deref().map(size::cpu_units).transpose()?;
    let memory = overrides.memory.as_deref().map(size::memory_mib).transpose()?;
    let overridden = Size {
        cpu: cpu.map_or(demand.cpu, i64::from),
        memory_mib: memory.map_or(demand.memory_mib, i64::from),
    };
    if launch_type == LaunchType::Fargate {
        let unsigned = |value: i64| u32::try_from(value).unwrap_or(0);
        let windows =
            definition.platform.os_family.as_deref().is_some_and(|family| family.starts_with("WINDOWS"));
        size::check_fargate(unsigned(overridden.cpu), unsigned(overridden.memory_mib), windows)?;
    }
    Ok(Some(overridden))
}
