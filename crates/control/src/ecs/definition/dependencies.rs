//! `dependsOn` (API reference, ContainerDependency).

use std::collections::BTreeMap;

use wire::Error;
use wire::ecs::{ContainerCondition, ContainerDefinition, ContainerDependency};

use super::graph;
use super::proposed::{Proposed, name};
use super::refusal::{own, said};
use super::shape;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut arrows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in proposed.containers {
        for dependency in container.depends_on.iter().flatten() {
            let target = &dependency.container_name;
            let Some(found) = proposed.container(target) else {
                return Err(said(format!(
                    "Cannot depend on container + '{target}' because it does not exist"
                )));
            };
            check_condition(dependency, found)?;
            arrows.entry(name(container)).or_default().push(target);
        }
    }
    match graph::cycle(&arrows) {
        None => Ok(()),
        Some(names) => Err(own(format!(
            "Container dependencies should not have a cycle: {}, {}.",
            names.join(", "),
            names.first().copied().unwrap_or_default()
        ))),
    }
}

/// An essential container that ends, ends the task: nothing could wait for it to complete.
fn check_condition(dependency: &ContainerDependency, target: &ContainerDefinition) -> Result<(), Error> {
    match dependency.condition {
        ContainerCondition::Success | ContainerCondition::Complete if target.essential == Some(true) => {
            Err(said(
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
            ))
        }
        ContainerCondition::Healthy if !shape::is_health_checked(target) => {
            Err(said("A dependency container with HEALTHY condition must have health check configured"))
        }
        _ => Ok(()),
    }
}
