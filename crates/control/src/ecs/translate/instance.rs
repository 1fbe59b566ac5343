//! A container instance, between the model and the wire.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Attribute, ContainerInstance, HostPort, Scope, Size, Transport, World};
use wire::Error;
use wire::ecs::{self, ContainerInstanceField};

use super::tags;
use crate::arn;

/// `home`: the account and region of the serverless pool's instances.
pub(crate) fn to_wire(
    world: &World,
    instance: &ContainerInstance,
    home: &Scope,
    include: &[ContainerInstanceField],
) -> ecs::ContainerInstance {
    let counts = world.instance_task_counts(instance.id);
    let number = |count: usize| i32::try_from(count).ok();
    let wants = |field| include.contains(&field);
    let mut used: BTreeSet<HostPort> = instance.reserved_ports.iter().copied().collect();
    used.extend(world.live_tasks_on(instance.id).flat_map(|task| task.host_ports.iter().copied()));
    ecs::ContainerInstance {
        container_instance_arn: Some(arn::instance(&instance.home, home, instance.id)),
        status: Some(instance.status.as_str().to_owned()),
        status_reason: instance.status_reason.as_ref().map(ToString::to_string),
        agent_connected: Some(instance.agent_connected),
        attributes: Some(instance.all_attributes().into_values().map(attribute).collect()),
        ec2_instance_id: instance.ec2_instance_id.as_ref().map(ToString::to_string),
        registered_resources: Some(resources(
            instance.total,
            instance.reserved_ports.iter().copied(),
            (!instance.gpus.is_empty()).then(|| instance.gpus.iter().collect()),
        )),
        remaining_resources: Some(resources(
            world.remaining(instance),
            used,
            (!instance.gpus.is_empty()).then(|| world.free_gpus(instance).collect()),
        )),
        running_tasks_count: number(counts.running),
        pending_tasks_count: number(counts.pending),
        registered_at: Some(wire::Timestamp::from_ms(instance.registered_at_ms)),
        version: i64::try_from(instance.version).ok(),
        version_info: instance.version_info.as_ref().and_then(|info| info.to().ok()),
        health_status: instance
            .health
            .as_ref()
            .filter(|_| wants(ContainerInstanceField::ContainerInstanceHealth))
            .and_then(|health| health.to().ok()),
        tags: if wants(ContainerInstanceField::Tags) {
            tags::to_wire(&instance.tags)
        } else {
            Some(Vec::new())
        },
        attachments: Some(Vec::new()),
        ..ecs::ContainerInstance::default()
    }
}

pub(crate) fn attribute(attribute: &Attribute) -> ecs::Attribute {
    ecs::Attribute {
        name: attribute.name.to_string(),
        value: attribute.value.as_ref().map(ToString::to_string),
        ..ecs::Attribute::default()
    }
}

pub(crate) fn attribute_from_wire(attribute: &ecs::Attribute) -> Attribute {
    Attribute { name: attribute.name.as_str().into(), value: attribute.value.as_deref().map(Into::into) }
}

/// The machine's id in EC2's instance identity document; a machine elsewhere has no such document.
pub(crate) fn ec2_instance_id(document: &str) -> Option<Arc<str>> {
    let document: serde_json::Value = serde_json::from_str(document).ok()?;
    Some(document.get("instanceId")?.as_str()?.into())
}

/// The four resources of every instance, and the GPUs of one that has any. Its ports are those that can't be had.
fn resources(
    size: Size,
    ports: impl IntoIterator<Item = HostPort>,
    gpus: Option<Vec<&Arc<str>>>,
) -> Vec<ecs::Resource> {
    let integer = |name: &str, value: i64| ecs::Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: i32::try_from(value).ok(),
        string_set_value: None,
    };
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for port in ports {
        match port.transport {
            Transport::Tcp => tcp.push(port.port.to_string()),
            Transport::Udp => udp.push(port.port.to_string()),
        }
    }
    let set = |name: &str, values: Vec<String>| ecs::Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        double_value: Some(0.0),
        long_value: Some(0),
        integer_value: Some(0),
        string_set_value: Some(values),
    };
    let gpus = gpus.map(|gpus| set("GPU", gpus.into_iter().map(ToString::to_string).collect()));
    let always = [
        integer("CPU", size.cpu),
        integer("MEMORY", size.memory_mib),
        set("PORTS", tcp),
        set("PORTS_UDP", udp),
    ];
    always.into_iter().chain(gpus).collect()
}

/// The GPUs of a registration's `platformDevices`, each once. No task can ask for devices of another kind.
pub(crate) fn gpus(devices: &[ecs::PlatformDevice]) -> Result<Vec<Arc<str>>, Error> {
    let mut gpus: Vec<Arc<str>> = Vec::new();
    for device in devices.iter().filter(|device| device.r#type == ecs::PlatformDeviceType::Gpu) {
        if device.id.is_empty() {
            return Err(Error::invalid_parameter("The id of a platform device can not be blank."));
        }
        if !gpus.iter().any(|known| **known == *device.id) {
            gpus.push(device.id.as_str().into());
        }
    }
    Ok(gpus)
}

/// The size and the reserved ports in a registration's `totalResources`.
pub(crate) fn totals(resources: &[ecs::Resource]) -> (Size, Vec<HostPort>) {
    let find = |name: &str| resources.iter().find(|resource| resource.name.as_deref() == Some(name));
    let integer = |name: &str| find(name).and_then(|resource| resource.integer_value).unwrap_or(0).into();
    let ports = |name: &str, transport| {
        let values = find(name).and_then(|resource| resource.string_set_value.as_deref()).unwrap_or_default();
        let port = move |text: &String| Some(HostPort { port: text.parse().ok()?, transport });
        values.iter().filter_map(port).collect::<Vec<_>>()
    };
    let reserved = [ports("PORTS", Transport::Tcp), ports("PORTS_UDP", Transport::Udp)].concat();
    (Size::new(integer("CPU"), integer("MEMORY")), reserved)
}
