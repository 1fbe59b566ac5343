//! What the operations on task sets have in common.

use model::{ControllerType, DeploymentId, Service, ServiceKey, ServiceStatus, World};
use wire::{Context, Error, ecs};

use super::errors::refused;
use super::reference;
use super::service::rules;
use super::translate::task_set as translate;

/// The service that the call names, which must be ACTIVE and have task sets.
pub(super) fn service_of<'w>(
    context: &Context,
    world: &'w World,
    cluster: &str,
    service: &str,
) -> Result<&'w Service, Error> {
    let cluster = reference::active_cluster(context, world, Some(cluster))?;
    let key = reference::service(context, &cluster, service)?;
    let service = world.service(&key).ok_or_else(rules::not_found)?;
    match (service.status, service.controller) {
        (ServiceStatus::Active, ControllerType::External) => Ok(service),
        (ServiceStatus::Active, _) => Err(refused(&model::Refusal::NoTaskSets(key))),
        _ => Err(refused(&model::Refusal::ServiceNotActive(key))),
    }
}

/// Percent of the desired count; all of it where nothing is said.
pub(super) fn scale(given: Option<&ecs::Scale>) -> Result<f64, Error> {
    let value = given.and_then(|scale| scale.value).unwrap_or(100.0);
    match (0.0..=100.0).contains(&value) {
        true => Ok(value),
        false => {
            Err(Error::invalid_parameter(format!("The scale must be between 0 and 100, and is {value}.")))
        }
    }
}

/// As it is in `world`, where it must be.
pub(super) fn shown(
    world: &World,
    key: &ServiceKey,
    id: &DeploymentId,
    with_tags: bool,
) -> Result<ecs::TaskSet, Error> {
    let service = world.service(key).ok_or_else(rules::not_found)?;
    let set = service.deployment(id).and_then(|set| translate::to_wire(world, service, set, with_tags));
    set.ok_or_else(|| refused(&model::Refusal::TaskSetNotFound(id.clone())))
}
