//! Processor, memory and the kernel's limits of each container, beside those of the task.

use std::collections::BTreeSet;

use wire::Error;
use wire::ecs::ContainerDefinition;

use super::proposed::{Proposed, name};
use super::refusal::{invalid_setting, own, said};

/// Docker reserves no less for a container (API reference, ContainerDefinition.memory).
const LEAST_MEMORY_MIB: i32 = 4;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    for container in proposed.containers {
        check_memory(proposed, container)?;
        if container.cpu.is_some_and(|units| units < 0) {
            return Err(invalid_setting("cpu", name(container)));
        }
        check_ulimits(container)?;
        check_swap(container)?;
    }
    check_sums(proposed)
}

fn check_memory(proposed: &Proposed<'_>, container: &ContainerDefinition) -> Result<(), Error> {
    let name = name(container);
    let (hard, soft) = (container.memory, container.memory_reservation);
    for (value, field) in [(hard, "memory"), (soft, "memoryReservation")] {
        if value.is_some_and(|mib| mib < LEAST_MEMORY_MIB) {
            return Err(invalid_setting(field, name));
        }
    }
    if proposed.memory_mib.is_none() && hard.is_none() && soft.is_none() {
        return Err(said(format!(
            "Invalid setting for container '{name}'. \
             At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    if hard.zip(soft).is_some_and(|(hard, soft)| hard < soft) {
        return Err(said(format!(
            "Invalid setting for container '{name}'. \
             'memory' must be greater than or equal to 'memoryReservation'."
        )));
    }
    let over =
        |value: Option<i32>| value.zip(proposed.memory_mib).is_some_and(|(c, t)| i64::from(c) > i64::from(t));
    for (value, field) in [(hard, "memory"), (soft, "memoryReservation")] {
        if over(value) {
            return Err(said(format!(
                "The '{field}' setting for container '{name}' is greater than for the task."
            )));
        }
    }
    Ok(())
}

/// "The total amount … reserved for all containers within a task must be lower than the task" value
/// (API reference, ContainerDefinition.cpu and memory); what a container reserves is its soft limit.
fn check_sums(proposed: &Proposed<'_>) -> Result<(), Error> {
    let sum = |of: fn(&ContainerDefinition) -> Option<i32>| -> i64 {
        proposed.containers.iter().filter_map(of).map(i64::from).sum()
    };
    if proposed.cpu.is_some_and(|units| sum(|container| container.cpu) > i64::from(units)) {
        return Err(said(
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ));
    }
    if proposed.memory_mib.is_some_and(|mib| sum(|container| container.memory_reservation) > i64::from(mib)) {
        return Err(own(
            "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.",
        ));
    }
    Ok(())
}

fn check_ulimits(container: &ContainerDefinition) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for limit in container.ulimits.iter().flatten() {
        // -1 is no limit at all (setrlimit(2), RLIM_INFINITY).
        let hard = if limit.hard_limit == -1 { i32::MAX } else { limit.hard_limit };
        let soft = if limit.soft_limit == -1 { i32::MAX } else { limit.soft_limit };
        if soft > hard {
            return Err(said(format!("Soft limit exceeds hard limit for ulimit {}.", limit.name)));
        }
        if hard < 0 || soft < 0 {
            return Err(invalid_setting("ulimits", name(container)));
        }
        if !names.insert(limit.name) {
            return Err(own(format!(
                "Container '{}' sets the ulimit {} more than once.",
                name(container),
                limit.name
            )));
        }
    }
    Ok(())
}

/// API reference, LinuxParameters.
fn check_swap(container: &ContainerDefinition) -> Result<(), Error> {
    let Some(linux) = &container.linux_parameters else { return Ok(()) };
    let name = name(container);
    if linux.max_swap.is_some_and(|mib| mib < 0) {
        return Err(invalid_setting("maxSwap", name));
    }
    if linux.swappiness.is_some_and(|value| !(0..=100).contains(&value)) {
        return Err(invalid_setting("swappiness", name));
    }
    if linux.shared_memory_size.is_some_and(|mib| mib < 0) {
        return Err(invalid_setting("sharedMemorySize", name));
    }
    if linux.tmpfs.iter().flatten().any(|mount| mount.size <= 0 || !mount.container_path.starts_with('/')) {
        return Err(invalid_setting("tmpfs", name));
    }
    Ok(())
}
