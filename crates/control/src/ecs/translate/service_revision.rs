//! What the deployments of a service bring it to, as DescribeServiceRevisions gives it.

use model::{LaunchType, RevisionImage, ServiceRevision, World};
use wire::Timestamp;
use wire::ecs;

use super::service::{items, shown};
use crate::arn;

pub(crate) fn to_wire(world: &World, revision: &ServiceRevision) -> ecs::ServiceRevision {
    let key = &revision.service;
    let scope = &key.cluster.scope;
    ecs::ServiceRevision {
        service_revision_arn: Some(arn::service_revision(key, &revision.deployment)),
        service_arn: Some(arn::service(key)),
        cluster_arn: Some(arn::cluster(&key.cluster)),
        task_definition: Some(arn::definition(&revision.definition.in_scope(scope))),
        launch_type: shown(revision.launch_type, &revision.capacity_strategy),
        capacity_provider_strategy: items(&revision.capacity_strategy),
        platform_version: revision.platform_version.as_ref().map(ToString::to_string),
        platform_family: revision
            .platform_family
            .as_ref()
            .filter(|_| revision.launch_type == LaunchType::Fargate)
            .map(ToString::to_string),
        network_configuration: revision.network.as_ref().and_then(|network| network.to().ok()),
        service_connect_configuration: revision.document.as_ref().and_then(|document| document.to().ok()),
        container_images: Some(world.revision_images(revision).iter().map(image).collect()),
        load_balancers: Some(Vec::new()),
        service_registries: Some(Vec::new()),
        resolved_configuration: Some(ecs::ResolvedConfiguration {
            load_balancers: Some(Vec::new()),
            ..ecs::ResolvedConfiguration::default()
        }),
        guard_duty_enabled: Some(false),
        created_at: Some(Timestamp::from_ms(revision.created_at_ms)),
        ..ecs::ServiceRevision::default()
    }
}

fn image(image: &RevisionImage) -> ecs::ContainerImage {
    ecs::ContainerImage {
        container_name: Some(image.container.to_string()),
        image: Some(image.image.to_string()),
        image_digest: image.digest.as_ref().map(ToString::to_string),
    }
}
