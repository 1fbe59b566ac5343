//! Services and their deployments, as DescribeServices gives them.

use model::{CapacityStrategyItem, Deployment, LaunchType, Service, World};
use wire::Timestamp;
use wire::ecs::{self, ServiceField};

use super::{tags, task_set};
use crate::arn;
use crate::ecs::launch::placement;
use crate::ecs::service::{Recorded, rollout};

pub(crate) fn to_wire(world: &World, service: &Service, include: &[ServiceField]) -> ecs::Service {
    let counts = world.deployment_counts(&service.key, None);
    let recorded = Recorded::of(service);
    let own = || service.deployments.iter().filter(|deployment| deployment.task_set.is_none());
    let aim = recorded.as_ref().map(|recorded| &recorded.aim);
    let strategy = aim.map(|aim| aim.strategy.as_slice()).unwrap_or_default();
    let launch_type = aim.map(|aim| aim.launch_type);
    ecs::Service {
        service_arn: Some(arn::service(&service.key)),
        service_name: Some(service.key.name.to_string()),
        cluster_arn: Some(arn::cluster(&service.key.cluster)),
        status: Some(service.status.as_str().to_owned()),
        desired_count: number(service.desired_count),
        running_count: number(counts.running),
        pending_count: number(counts.pending),
        launch_type: launch_type.and_then(|own| shown(own, strategy)),
        capacity_provider_strategy: items(strategy),
        platform_version: aim.and_then(|aim| aim.platform.clone()),
        platform_family: (launch_type == Some(LaunchType::Fargate)).then(|| "Linux".to_owned()),
        task_definition: aim.map(|aim| arn::definition(&aim.definition)),
        deployment_configuration: Some(recorded.as_ref().map_or_else(
            || rollout::default(service.scheduling),
            |recorded| recorded.deployment_configuration.clone(),
        )),
        current_service_deployment: world
            .newest_service_deployment(service)
            .map(|record| arn::service_deployment(&service.key, &record.deployment)),
        current_service_revisions: Some(own().map(|one| revision(world, service, one)).collect()),
        deployments: Some(own().map(|one| deployment(world, service, one)).collect()),
        task_sets: Some(task_set::all(world, service, include.contains(&ServiceField::Tags))),
        role_arn: recorded.as_ref().and_then(|recorded| recorded.role_arn.clone()),
        events: Some(service.events.iter().map(event).collect()),
        created_at: Some(Timestamp::from_ms(service.created_at_ms)),
        created_by: service.created_by.as_ref().map(ToString::to_string),
        load_balancers: Some(Vec::new()),
        service_registries: Some(Vec::new()),
        placement_constraints: Some(
            service.placement_constraints.iter().map(placement::constraint_to_wire).collect(),
        ),
        placement_strategy: Some(
            service.placement_strategy.iter().map(placement::strategy_to_wire).collect(),
        ),
        network_configuration: aim.and_then(|aim| aim.network.clone()),
        health_check_grace_period_seconds: service.health_check_grace_s.and_then(number),
        scheduling_strategy: service.scheduling.as_str().parse().ok(),
        deployment_controller: service
            .controller
            .as_str()
            .parse()
            .ok()
            .map(|r#type| ecs::DeploymentController { r#type }),
        enable_ecs_managed_tags: Some(service.managed_tags),
        propagate_tags: service.propagate_tags.as_str().parse().ok(),
        enable_execute_command: Some(service.enable_execute_command),
        availability_zone_rebalancing: recorded.as_ref().map(|recorded| recorded.rebalancing),
        resource_management_type: Some(ecs::ResourceManagementType::Customer),
        tags: include.contains(&ServiceField::Tags).then(|| tags::to_wire(&service.tags)).flatten(),
    }
}

fn deployment(world: &World, service: &Service, deployment: &Deployment) -> ecs::Deployment {
    let scope = &service.key.cluster.scope;
    let counts = world.deployment_counts(&service.key, Some(&deployment.id));
    ecs::Deployment {
        id: Some(deployment.id.to_string()),
        status: Some(deployment.status.as_str().to_owned()),
        task_definition: Some(arn::definition(&deployment.definition.in_scope(scope))),
        desired_count: number(deployment.desired_count),
        pending_count: number(counts.pending),
        running_count: number(counts.running),
        failed_tasks: number(deployment.failed_tasks),
        created_at: Some(Timestamp::from_ms(deployment.created_at_ms)),
        updated_at: Some(Timestamp::from_ms(deployment.updated_at_ms)),
        launch_type: shown(deployment.launch_type, &deployment.capacity_strategy),
        capacity_provider_strategy: items(&deployment.capacity_strategy),
        platform_version: deployment.platform_version.as_ref().map(ToString::to_string),
        platform_family: deployment.platform_family.as_ref().map(ToString::to_string),
        network_configuration: deployment.network.as_ref().and_then(|network| network.to().ok()),
        rollout_state: deployment.rollout_state.as_str().parse().ok(),
        rollout_state_reason: Some(deployment.rollout_reason.to_string()),
        service_connect_configuration: deployment.document.as_ref().and_then(|document| document.to().ok()),
        ..ecs::Deployment::default()
    }
}

fn revision(world: &World, service: &Service, deployment: &Deployment) -> ecs::ServiceCurrentRevisionSummary {
    let counts = world.revision_counts(&service.key, &deployment.id);
    ecs::ServiceCurrentRevisionSummary {
        arn: Some(arn::service_revision(&service.key, &deployment.id)),
        requested_task_count: number(counts.requested),
        running_task_count: number(counts.running),
        pending_task_count: number(counts.pending),
    }
}

fn event(event: &model::ServiceEvent) -> ecs::ServiceEvent {
    ecs::ServiceEvent {
        id: Some(event.id.to_string()),
        created_at: Some(Timestamp::from_ms(event.at_ms)),
        message: Some(event.message.to_string()),
    }
}

/// Left out where a capacity provider strategy was asked for (ECS API reference, Service.launchType).
pub(super) fn shown(launch_type: LaunchType, strategy: &[CapacityStrategyItem]) -> Option<ecs::LaunchType> {
    strategy.is_empty().then(|| launch_type.as_str().parse().ok()).flatten()
}

/// Left out where a launch type was asked for.
pub(super) fn items(strategy: &[CapacityStrategyItem]) -> Option<Vec<ecs::CapacityProviderStrategyItem>> {
    let item = |item: &CapacityStrategyItem| ecs::CapacityProviderStrategyItem {
        capacity_provider: item.provider.to_string(),
        weight: number(item.weight),
        base: number(item.base),
    };
    (!strategy.is_empty()).then(|| strategy.iter().map(item).collect())
}

/// Counts are far below what the wire's numbers hold.
pub(super) fn number(count: u32) -> Option<i32> {
    i32::try_from(count).ok()
}

pub(crate) fn propagation(given: ecs::PropagateTags) -> model::PropagateTags {
    match given {
        ecs::PropagateTags::TaskDefinition => model::PropagateTags::TaskDefinition,
        ecs::PropagateTags::Service => model::PropagateTags::Service,
        ecs::PropagateTags::None => model::PropagateTags::None,
    }
}
