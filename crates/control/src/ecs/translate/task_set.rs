//! Task sets, as the operations on them and DescribeServices give them.

use model::{Deployment, Service, World};
use wire::Timestamp;
use wire::ecs::{self, ScaleUnit, StabilityStatus};

use super::service::{items, number, shown};
use super::tags;
use crate::arn;

/// `None` for a deployment that is none.
pub(crate) fn to_wire(
    world: &World,
    service: &Service,
    deployment: &Deployment,
    with_tags: bool,
) -> Option<ecs::TaskSet> {
    let (key, set) = (&service.key, deployment.task_set.as_ref()?);
    let counts = world.deployment_counts(key, Some(&deployment.id));
    Some(ecs::TaskSet {
        id: Some(deployment.id.to_string()),
        task_set_arn: Some(arn::task_set(key, &deployment.id)),
        service_arn: Some(arn::service(key)),
        cluster_arn: Some(arn::cluster(&key.cluster)),
        external_id: set.external_id.as_ref().map(ToString::to_string),
        status: Some(deployment.status.as_str().to_owned()),
        task_definition: Some(arn::definition(&deployment.definition.in_scope(&key.cluster.scope))),
        computed_desired_count: number(deployment.desired_count),
        pending_count: number(counts.pending),
        running_count: number(counts.running),
        created_at: Some(Timestamp::from_ms(deployment.created_at_ms)),
        updated_at: Some(Timestamp::from_ms(deployment.updated_at_ms)),
        launch_type: shown(deployment.launch_type, &deployment.capacity_strategy),
        capacity_provider_strategy: items(&deployment.capacity_strategy),
        platform_version: deployment.platform_version.as_ref().map(ToString::to_string),
        platform_family: deployment.platform_family.as_ref().map(ToString::to_string),
        network_configuration: deployment.network.as_ref().and_then(|network| network.to().ok()),
        load_balancers: Some(Vec::new()),
        service_registries: Some(Vec::new()),
        scale: Some(ecs::Scale { value: Some(set.scale), unit: Some(ScaleUnit::Percent) }),
        stability_status: Some(match set.stable {
            true => StabilityStatus::SteadyState,
            false => StabilityStatus::Stabilizing,
        }),
        stability_status_at: Some(Timestamp::from_ms(set.stable_at_ms)),
        tags: with_tags.then(|| tags::to_wire(&set.tags)).flatten(),
        ..ecs::TaskSet::default()
    })
}

pub(crate) fn all(world: &World, service: &Service, with_tags: bool) -> Vec<ecs::TaskSet> {
    service.deployments.iter().filter_map(|one| to_wire(world, service, one, with_tags)).collect()
}
