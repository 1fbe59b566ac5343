//! RunTask's overrides, checked against the definition that they change.

use model::{ContainerShape, Document, LaunchType, Size, TaskDefinition};
use wire::{Error, ecs};

use crate::ecs::definition::gpus::{self, Unfit};
use crate::ecs::definition::size;

#[cfg(test)]
mod tests;

/// AWS's bound on the overrides' JSON text.
const MOST_BYTES: usize = 8192;
/// Docker reserves no less for a container.
const LEAST_MEMORY_MIB: i32 = 4;

/// What the overrides come to.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    /// Recorded and merged into what the agent is told.
    pub document: Option<Document>,
    /// Where they change the task's size.
    pub size: Option<Size>,
    /// Where they change what containers ask for: how many GPUs each has, in the definition's order.
    pub gpus: Option<Vec<u32>>,
    pub ephemeral_storage_gib: Option<u32>,
}

pub(crate) fn check(
    definition: &TaskDefinition,
    launch_type: LaunchType,
    overrides: Option<&ecs::TaskOverride>,
) -> Result<Overrides, Error> {
    let Some(overrides) = overrides else { return Ok(Overrides::default()) };
    if overrides.inference_accelerator_overrides.as_ref().is_some_and(|list| !list.is_empty()) {
        return Err(unsupported("inferenceAcceleratorOverrides"));
    }
    let own = overrides.container_overrides.as_deref().unwrap_or_default();
    for (n, container) in own.iter().enumerate() {
        if own[..n].iter().any(|other| other.name == container.name) {
            let name = container.name.as_deref().unwrap_or_default();
            return Err(Error::invalid_parameter(format!("Container {name} is overridden more than once.")));
        }
        check_container(definition, launch_type, container)?;
    }
    let document =
        Document::of(overrides).map_err(|_| Error::server("The overrides could not be recorded."))?;
    if document.text().chars().count() > MOST_BYTES {
        return Err(Error::invalid_parameter(format!(
            "Container Overrides length must be at most {MOST_BYTES}"
        )));
    }
    let storage = overrides.ephemeral_storage.as_ref().map(|storage| storage.size_in_gib);
    if storage.is_some_and(|gib| !(21..=200).contains(&gib)) {
        return Err(Error::invalid_parameter("Ephemeral storage must be between 21 and 200 GiB."));
    }
    if storage.is_some() && launch_type != LaunchType::Fargate {
        return Err(Error::invalid_parameter("Ephemeral storage can be overridden for FARGATE tasks only."));
    }
    Ok(Overrides {
        document: Some(document),
        size: size(definition, launch_type, overrides)?,
        gpus: gpus(definition, own),
        ephemeral_storage_gib: storage.and_then(|gib| u32::try_from(gib).ok()),
    })
}

fn unsupported(what: &str) -> Error {
    Error::new(
        "UnsupportedFeatureException",
        format!("Longshore does not implement {what} in overrides of ecs:RunTask yet."),
    )
}

fn check_container(
    definition: &TaskDefinition,
    launch_type: LaunchType,
    own: &ecs::ContainerOverride,
) -> Result<(), Error> {
    let name = own
        .name
        .as_deref()
        .ok_or_else(|| Error::invalid_parameter("Container override name cannot be empty."))?;
    if !definition.containers.iter().any(|known| *known.name == *name) {
        return Err(Error::invalid_parameter(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    }
    if own.environment_files.as_ref().is_some_and(|list| !list.is_empty()) {
        return Err(unsupported("environmentFiles"));
    }
    let requirements = own.resource_requirements.as_deref().unwrap_or_default();
    gpus::check(name, requirements).map_err(|unfit| match unfit {
        Unfit::Unsupported(what) => unsupported(&what),
        Unfit::Invalid(text) => Error::invalid_parameter(text),
    })?;
    if launch_type == LaunchType::Fargate && gpus::count(requirements) > 0 {
        return Err(Error::invalid_parameter(gpus::NOT_ON_FARGATE));
    }
    if own.environment.iter().flatten().any(|pair| pair.name.as_deref().is_none_or(str::is_empty)) {
        return Err(Error::invalid_parameter("Environment variable name can not be blank."));
    }
    let least = [
        ("cpu", own.cpu, 0),
        ("memory", own.memory, LEAST_MEMORY_MIB),
        ("memoryReservation", own.memory_reservation, LEAST_MEMORY_MIB),
    ];
    match least.iter().find(|(_, value, least)| value.is_some_and(|value| value < *least)) {
        Some((what, ..)) => {
            Err(Error::invalid_parameter(format!("Invalid '{what}' setting for container '{name}'.")))
        }
        None => Ok(()),
    }
}

/// An override's GPUs take the place of the definition's.
fn gpus(definition: &TaskDefinition, own: &[ecs::ContainerOverride]) -> Option<Vec<u32>> {
    let asked = |shape: &ContainerShape| {
        let named = own.iter().find(|own| own.name.as_deref() == Some(&*shape.name))?;
        let requirements = named.resource_requirements.as_deref().filter(|list| !list.is_empty())?;
        Some(gpus::count(requirements))
    };
    let all: Vec<u32> =
        definition.containers.iter().map(|shape| asked(shape).unwrap_or(shape.gpus)).collect();
    (all != definition.gpus()).then_some(all)
}

/// A container's shape with its override.
fn overridden(shape: &ContainerShape, overrides: &ecs::TaskOverride) -> ContainerShape {
    let own =
        overrides.container_overrides.iter().flatten().find(|own| own.name.as_deref() == Some(&*shape.name));
    let Some(own) = own else { return shape.clone() };
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    ContainerShape {
        cpu: number(own.cpu).unwrap_or(shape.cpu),
        memory_mib: number(own.memory).or(shape.memory_mib),
        memory_reservation_mib: number(own.memory_reservation).or(shape.memory_reservation_mib),
        ..shape.clone()
    }
}

/// The task's size with its overrides, where it is another; the containers must fit in it as they must
/// in a definition's.
fn size(
    definition: &TaskDefinition,
    launch_type: LaunchType,
    overrides: &ecs::TaskOverride,
) -> Result<Option<Size>, Error> {
    let cpu = overrides.cpu.as_deref().map(size::cpu_units).transpose()?;
    let memory = overrides.memory.as_deref().map(size::memory_mib).transpose()?;
    let changed = TaskDefinition {
        cpu: cpu.or(definition.cpu),
        memory_mib: memory.or(definition.memory_mib),
        containers: definition.containers.iter().map(|shape| overridden(shape, overrides)).collect(),
        ..definition.clone()
    };
    if launch_type == LaunchType::Fargate && (cpu.is_some() || memory.is_some()) {
        let windows =
            definition.platform.os_family.as_deref().is_some_and(|family| family.starts_with("WINDOWS"));
        let size = changed.demand();
        let unsigned = |value: i64| u32::try_from(value).unwrap_or(0);
        size::check_fargate(unsigned(size.cpu), unsigned(size.memory_mib), windows)?;
    }
    check_fit(&changed)?;
    let size = changed.demand();
    Ok((size != definition.demand()).then_some(size))
}

fn check_fit(changed: &TaskDefinition) -> Result<(), Error> {
    for shape in &changed.containers {
        let (name, hard, soft) = (&shape.name, shape.memory_mib, shape.memory_reservation_mib);
        if hard.zip(soft).is_some_and(|(hard, soft)| hard < soft) {
            return Err(Error::invalid_parameter(format!(
                "Invalid setting for container '{name}'. \
                 'memory' must be greater than or equal to 'memoryReservation'."
            )));
        }
        for (value, field) in [(hard, "memory"), (soft, "memoryReservation")] {
            if value.zip(changed.memory_mib).is_some_and(|(container, task)| container > task) {
                return Err(Error::invalid_parameter(format!(
                    "The '{field}' setting for container '{name}' is greater than for the task."
                )));
            }
        }
    }
    let cpu: u64 = changed.containers.iter().map(|shape| u64::from(shape.cpu)).sum();
    if changed.cpu.is_some_and(|units| cpu > u64::from(units)) {
        return Err(Error::invalid_parameter(
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ));
    }
    Ok(())
}
