//! What goes with the scheduling strategy DAEMON, and what doesn't (ECS API reference, CreateService): the instances give
//! the count and the places.

use model::LaunchType;
use wire::{Error, ecs};

use crate::ecs::launch::capacity::Capacity;

/// Refuses, in ECS's words, what a count or a choice of places would be asked for with.
pub(crate) fn check(
    desired_count: Option<i32>,
    strategy: Option<&[ecs::PlacementStrategy]>,
) -> Result<(), Error> {
    if desired_count.is_some() {
        return Err(refused("a desired count for services", "Remove the desired count value and try again"));
    }
    if strategy.is_some_and(|given| !given.is_empty()) {
        return Err(refused("placement strategies", "Remove the placement strategy and try again"));
    }
    Ok(())
}

pub(crate) fn check_capacity(capacity: &Capacity) -> Result<(), Error> {
    if !capacity.strategy.is_empty() {
        return Err(Error::invalid_parameter(
            "Specifying a capacity provider strategy is not supported when you create a service using the DAEMON \
             scheduling strategy.",
        ));
    }
    match capacity.launch_type {
        LaunchType::Fargate => {
            Err(refused("the FARGATE launch type", "Change the launch type and try again"))
        }
        LaunchType::Ec2 | LaunchType::External => Ok(()),
    }
}

pub(crate) fn check_controller(controller: Option<&ecs::DeploymentController>) -> Result<(), Error> {
    match controller.map(|controller| controller.r#type) {
        None | Some(ecs::DeploymentControllerType::Ecs) => Ok(()),
        Some(other) => Err(refused(
            &format!("the {other} deployment controller"),
            "Change the deployment controller and try again",
        )),
    }
}

pub(crate) fn check_percents(maximum: Option<i32>) -> Result<(), Error> {
    match maximum {
        Some(101..) => Err(refused(
            "values above 100 for maximumPercent on a deployment configuration",
            "Change the maximumPercent value to 100, and try again",
        )),
        _ => Ok(()),
    }
}

fn refused(what: &str, remedy: &str) -> Error {
    Error::invalid_parameter(format!("The daemon scheduling strategy does not support {what}. {remedy}"))
}
