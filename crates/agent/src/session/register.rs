//! RegisterContainerInstance: who this agent is and what it can do (agent protocol §2).

use wire::ecs::{
    self, Attribute, PlatformDevice, PlatformDeviceType, RegisterContainerInstanceRequest, Resource,
};

use super::{Api, ApiError};
use crate::state::Instance;

/// What the instance has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Shares: 1024 to a processor.
    pub cpu: i32,
    pub memory_mib: i32,
}

/// What the agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster: String,
    pub capacity: Capacity,
    /// The subnet of the tasks' addresses, if it has a bridge: `10.72.0.0/20`.
    pub subnet: Option<String>,
    /// In the pool that takes FARGATE tasks.
    pub serverless: bool,
    /// Of the pool: whose tasks it takes. Empty for FARGATE's and FARGATE_SPOT's.
    pub capacity_providers: Vec<String>,
    /// A name for people.
    pub name: Option<String>,
    /// The ids of its GPUs.
    pub gpus: Vec<String>,
}

/// What the control plane answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub arn: String,
}

/// Name-only attributes: what the engine honours, in the official agent's words.
const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.28",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.container-restart-policy",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.ecr-endpoint",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.full-sync",
    "ecs.capability.logging-driver.none",
    "ecs.capability.network.container-port-range",
    "ecs.capability.task-eni",
];

/// TCP ports that no task is given: SSH, Docker and the ECS agent (API reference, PortMapping).
const RESERVED_PORTS: &[u16] = &[22, 2375, 2376, 51678, 51679, 51680];

/// Registers, or registers again: under the ARN that the instance had, or with the token of an attempt whose answer is
/// not known.
pub async fn register(api: &Api, identity: &Identity, instance: &Instance) -> Result<Registration, ApiError> {
    let input = request(identity, instance);
    let sent = input.attributes.clone().unwrap_or_default();
    let answer = api.call::<ecs::ops::RegisterContainerInstance>(&input).await?;
    let operation = "RegisterContainerInstance";
    let wrong = |said: &str| ApiError::Transport { operation, said: said.to_owned() };
    let instance = answer.container_instance.ok_or_else(|| wrong("no container instance in the answer"))?;
    let echoed = instance.attributes.unwrap_or_default();
    let lost = sent
        .iter()
        .filter(|a| a.value.is_some())
        .find(|a| !echoed.iter().any(|e| e.name == a.name && e.value == a.value));
    if let Some(lost) = lost {
        return Err(wrong(&format!("attribute {} was not accepted", lost.name)));
    }
    let arn = instance.container_instance_arn.ok_or_else(|| wrong("no ARN in the answer"))?;
    Ok(Registration { arn })
}

fn request(identity: &Identity, instance: &Instance) -> RegisterContainerInstanceRequest {
    let named =
        |name: &str, value: Option<String>| Attribute { name: name.to_owned(), value, ..Default::default() };
    let mut attributes: Vec<_> = CAPABILITIES.iter().map(|name| named(name, None)).collect();
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    attributes.push(named("ecs.os-type", Some("linux".into())));
    attributes.push(named("ecs.os-family", Some("LINUX".into())));
    attributes.push(named("ecs.cpu-architecture", Some(architecture.into())));
    if identity.serverless {
        attributes.push(named("longshore.capacity", Some("serverless".into())));
    }
    if identity.serverless && !identity.capacity_providers.is_empty() {
        attributes.push(named("longshore.capacity-providers", Some(identity.capacity_providers.join(" "))));
    }
    if let Some(subnet) = &identity.subnet {
        attributes.push(named("longshore.subnet-cidr", Some(subnet.clone())));
    }
    if let Some(name) = &identity.name {
        attributes.push(named("longshore.instance-name", Some(name.clone())));
    }
    let integer = |name: &str, value| Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".into()),
        integer_value: Some(value),
        ..Default::default()
    };
    let ports = |name: &str, reserved: &[u16]| Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".into()),
        string_set_value: Some(reserved.iter().map(ToString::to_string).collect()),
        ..Default::default()
    };
    // Tasks of the pool have addresses of their own, so no port of the machine is in their way.
    let reserved = if identity.serverless { &[][..] } else { RESERVED_PORTS };
    RegisterContainerInstanceRequest {
        cluster: Some(identity.cluster.clone()),
        container_instance_arn: instance.arn.clone(),
        client_token: instance.token.clone(),
        attributes: Some(attributes),
        total_resources: Some(vec![
            integer("CPU", identity.capacity.cpu),
            integer("MEMORY", identity.capacity.memory_mib),
            ports("PORTS", reserved),
            ports("PORTS_UDP", &[]),
        ]),
        platform_devices: Some(identity.gpus.iter().map(|id| gpu(id)).collect())
            .filter(|gpus: &Vec<_>| !gpus.is_empty()),
        ..Default::default()
    }
}

fn gpu(id: &str) -> PlatformDevice {
    PlatformDevice { id: id.to_owned(), r#type: PlatformDeviceType::Gpu }
}

impl Capacity {
    /// The whole machine, less what the agent and the system are left with.
    pub fn of_this_machine() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total_kib: u64 = memory
            .lines()
            .find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok())
            .unwrap_or(0);
        Capacity {
            cpu: i32::try_from(processors * 1024).unwrap_or(i32::MAX),
            memory_mib: i32::try_from(total_kib / 1024).unwrap_or(i32::MAX),
        }
    }
}
