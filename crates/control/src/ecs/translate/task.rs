//! A task as the API gives it.

use model::{Container, Eni, Home, LaunchType, Scope, Task, World};
use wire::Timestamp;
use wire::ecs::{self, TaskField};

use super::tags;
use crate::arn;
use crate::ecs::launch::capacity::FARGATE_STORAGE_GIB;

/// `home`: the account and region of the serverless pool's instances.
pub(crate) fn to_wire(world: &World, task: &Task, home: &Scope, include: &[TaskField]) -> ecs::Task {
    let scope = &task.cluster.scope;
    let definition = world.definition(&task.definition_key());
    let document = definition.and_then(|definition| definition.document.shared::<ecs::TaskDefinition>().ok());
    let defined = document.iter().flat_map(|document| &document.container_definitions).flatten();
    let fargate = task.launch_type == LaunchType::Fargate;
    let storage = task
        .ephemeral_storage_gib
        .or(fargate.then_some(FARGATE_STORAGE_GIB))
        .and_then(|gib| i32::try_from(gib).ok());
    let at = |ms: Option<u64>| ms.map(Timestamp::from_ms);
    ecs::Task {
        task_arn: Some(arn::task(&task.cluster, task.id)),
        cluster_arn: Some(arn::cluster(&task.cluster)),
        task_definition_arn: Some(arn::definition(&task.definition_key())),
        container_instance_arn: world
            .instance(task.instance)
            .filter(|instance| instance.home != Home::Pool)
            .map(|instance| arn::instance(&instance.home, home, instance.id)),
        launch_type: task.launch_type.as_str().parse().ok(),
        capacity_provider_name: task.capacity_provider.as_ref().map(ToString::to_string),
        platform_version: task.platform_version.as_ref().map(ToString::to_string),
        platform_family: task.platform_family.as_ref().map(ToString::to_string),
        availability_zone: Some(arn::availability_zone(scope)),
        group: task.group.as_ref().map(ToString::to_string),
        started_by: task.started_by.as_ref().map(ToString::to_string),
        desired_status: Some(task.desired_status.as_str().to_owned()),
        last_status: Some(task.last_status.as_str().to_owned()),
        connectivity: task.connectivity_at_ms.and_then(|_| task.connectivity.as_str().parse().ok()),
        connectivity_at: at(task.connectivity_at_ms),
        health_status: task.health.as_str().parse().ok(),
        containers: Some(
            task.containers
                .iter()
                .map(|container| {
                    let named =
                        |one: &&ecs::ContainerDefinition| one.name.as_deref() == Some(&container.name);
                    to_wire_container(task, container, defined.clone().find(named))
                })
                .collect(),
        ),
        attachments: Some(task.eni.iter().map(|eni| attachment(scope, eni)).collect()),
        attributes: Some(vec![ecs::Attribute {
            name: "ecs.cpu-architecture".to_owned(),
            value: architecture(world, task),
            ..ecs::Attribute::default()
        }]),
        cpu: Some(task.size.cpu.to_string()),
        memory: Some(task.size.memory_mib.to_string()),
        overrides: Some(overrides(task)),
        enable_execute_command: Some(task.enable_execute_command),
        ephemeral_storage: storage.map(|size_in_gib| ecs::EphemeralStorage { size_in_gib }),
        fargate_ephemeral_storage: storage
            .filter(|_| fargate)
            .map(|gib| ecs::TaskEphemeralStorage { size_in_gib: Some(gib), kms_key_id: None }),
        created_at: at(Some(task.created_at_ms)),
        pull_started_at: at(task.pull_started_at_ms),
        pull_stopped_at: at(task.pull_stopped_at_ms),
        started_at: at(task.started_at_ms),
        stopping_at: at(task.stopping_at_ms),
        execution_stopped_at: at(task.execution_stopped_at_ms),
        stopped_at: at(task.stopped_at_ms),
        stop_code: task.stop.as_ref().and_then(|stop| stop.code.as_str().parse().ok()),
        stopped_reason: task.stop.as_ref().map(|stop| stop.reason.to_string()),
        tags: if include.contains(&TaskField::Tags) { tags::to_wire(&task.tags) } else { Some(Vec::new()) },
        version: i64::try_from(task.version).ok(),
        inference_accelerators: Some(Vec::new()),
        ..ecs::Task::default()
    }
}

/// As the agent registered it: `x86_64`, `arm64`.
fn architecture(world: &World, task: &Task) -> Option<String> {
    let instance = world.instance(task.instance)?;
    instance.attribute("ecs.cpu-architecture")?.value.as_ref().map(ToString::to_string)
}

/// Every container has its entry, overridden or not.
fn overrides(task: &Task) -> ecs::TaskOverride {
    let given: ecs::TaskOverride =
        task.overrides.as_ref().and_then(|overrides| overrides.to().ok()).unwrap_or_default();
    let own = given.container_overrides.unwrap_or_default();
    let entry = |container: &Container| {
        let named = own.iter().find(|entry| entry.name.as_deref() == Some(&container.name));
        named.cloned().unwrap_or_else(|| ecs::ContainerOverride {
            name: Some(container.name.to_string()),
            ..ecs::ContainerOverride::default()
        })
    };
    ecs::TaskOverride {
        container_overrides: Some(task.containers.iter().map(entry).collect()),
        inference_accelerator_overrides: Some(given.inference_accelerator_overrides.unwrap_or_default()),
        ..given
    }
}

fn to_wire_container(
    task: &Task,
    container: &Container,
    definition: Option<&ecs::ContainerDefinition>,
) -> ecs::Container {
    let text = |value: Option<i32>| value.map(|value| value.to_string());
    ecs::Container {
        container_arn: Some(arn::container(&task.cluster, task.id, container.id)),
        task_arn: Some(arn::task(&task.cluster, task.id)),
        name: Some(container.name.to_string()),
        image: Some(container.image.to_string()),
        image_digest: container.image_digest.as_ref().map(ToString::to_string),
        runtime_id: container.runtime_id.as_ref().map(ToString::to_string),
        last_status: Some(container.last_status.as_str().to_owned()),
        exit_code: container.exit_code,
        reason: container.reason.as_ref().map(ToString::to_string),
        health_status: container.health.as_str().parse().ok(),
        network_bindings: Some(
            container.network_bindings.as_ref().and_then(|bindings| bindings.to().ok()).unwrap_or_default(),
        ),
        network_interfaces: Some(task.eni.iter().map(interface).collect()),
        gpu_ids: (!container.gpus.is_empty())
            .then(|| container.gpus.iter().map(ToString::to_string).collect()),
        managed_agents: container.managed_agents.as_ref().and_then(|agents| agents.to().ok()),
        cpu: Some(definition.and_then(|definition| definition.cpu).unwrap_or(0).to_string()),
        memory: text(definition.and_then(|definition| definition.memory)),
        memory_reservation: text(definition.and_then(|definition| definition.memory_reservation)),
        ..ecs::Container::default()
    }
}

fn interface(eni: &Eni) -> ecs::NetworkInterface {
    ecs::NetworkInterface {
        attachment_id: Some(eni.attachment_id.to_string()),
        private_ipv4_address: Some(eni.address.to_string()),
        ipv6_address: None,
    }
}

fn attachment(scope: &Scope, eni: &Eni) -> ecs::Attachment {
    let detail =
        |name: &str, value: String| ecs::KeyValuePair { name: Some(name.to_owned()), value: Some(value) };
    let mut details = Vec::new();
    details.extend(eni.subnet.as_ref().map(|subnet| detail("subnetId", subnet.to_string())));
    details.push(detail("networkInterfaceId", eni.eni_id.to_string()));
    details.push(detail("macAddress", eni.mac.to_string()));
    details.push(detail("privateDnsName", arn::private_dns_name(scope, eni.address)));
    details.push(detail("privateIPv4Address", eni.address.to_string()));
    ecs::Attachment {
        id: Some(eni.attachment_id.to_string()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
        status: Some(eni.status.as_str().to_owned()),
        details: Some(details),
    }
}
