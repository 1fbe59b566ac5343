use model::{
    ConstraintKind, Deployment, Group, InstanceId, PlacementConstraint, PropagateTags, SchedulingStrategy,
    Service, StartedBy, Tag, Tags, TaskId, World, command::NewTask,
};
use std::sync::Arc;

/// A new task of the service. `None` when the deployment's definition is gone; the planner finds no
/// place for such a one either.
pub(super) fn task(
    world: &World,
    service: &Service,
    deployment: &Deployment,
    id: TaskId,
    instance: InstanceId,
    capacity_provider: Option<Arc<str>>,
) -> Option<NewTask> {
    let cluster = &service.key.cluster;
    let definition = world.definition(&deployment.definition.in_scope(&cluster.scope))?;
    let propagated = match service.propagate_tags {
        PropagateTags::None => Tags::default(),
        PropagateTags::TaskDefinition => definition.tags.clone(),
        PropagateTags::Service => service.tags.clone(),
    };
    Some(NewTask {
        id,
        cluster: cluster.clone(),
        definition: deployment.definition.clone(),
        instance,
        launch_type: deployment.launch_type,
        capacity_provider,
        platform_version: deployment.platform_version.clone(),
        platform_family: deployment.platform_family.clone(),
        group: Some(group(service)),
        distinct_instance: is_kept_apart(service),
        started_by: Some(StartedBy::new(deployment.id.as_str())),
        service: Some(service.key.name.clone()),
        deployment: Some(deployment.id.clone()),
        size: None,
        gpus: None,
        overrides: None,
        network: deployment.network.clone(),
        subnet: deployment.subnet.clone(),
        tags: if service.managed_tags { with_managed(&propagated, service) } else { propagated },
        enable_execute_command: service.enable_execute_command,
        ephemeral_storage_gib: definition.ephemeral_storage_gib,
        run: None,
        document: None,
    })
}

/// No instance may have two of its tasks.
fn is_kept_apart(service: &Service) -> bool {
    let asked = |constraint: &PlacementConstraint| constraint.kind == ConstraintKind::DistinctInstance;
    service.scheduling == SchedulingStrategy::Daemon || service.placement_constraints.iter().any(asked)
}

/// The task group of a service's tasks (ECS developer guide, "Group related Amazon ECS tasks").
pub(super) fn group(service: &Service) -> Group {
    Group::from(format!("service:{}", service.key.name))
}

/// The tags that ECS adds by itself (developer guide, "ECS managed tags").
fn with_managed(tags: &Tags, service: &Service) -> Tags {
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: Some(value.into()) };
    tags.with([
        tag("aws:ecs:clusterName", service.key.cluster.name.as_str()),
        tag("aws:ecs:serviceName", service.key.name.as_str()),
    ])
}
