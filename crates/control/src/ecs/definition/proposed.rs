//! A definition under examination: the filled-in document, with what every rule asks of it.

use model::{LaunchType, NetworkMode};
use wire::Error;
use wire::ecs::{self, Compatibility};

use super::{refusal, size};

#[derive(Debug)]
pub(super) struct Proposed<'d> {
    pub document: &'d ecs::TaskDefinition,
    pub containers: &'d [ecs::ContainerDefinition],
    pub network_mode: NetworkMode,
    /// The task's own size, where it was given: CPU units and MiB.
    pub cpu: Option<u32>,
    pub memory_mib: Option<u32>,
    /// The launch types that the user asks it to be fit for, each once.
    pub required: Vec<LaunchType>,
}

impl<'d> Proposed<'d> {
    pub fn of(document: &'d ecs::TaskDefinition) -> Result<Self, Error> {
        let mode = |mode: ecs::NetworkMode| mode.as_str().parse().unwrap_or(NetworkMode::Bridge);
        Ok(Self {
            document,
            containers: document.container_definitions.as_deref().unwrap_or_default(),
            // "If no network mode is specified, the default is bridge" (API reference).
            network_mode: document.network_mode.map_or(NetworkMode::Bridge, mode),
            cpu: document.cpu.as_deref().map(size::cpu_units).transpose()?,
            memory_mib: document.memory.as_deref().map(size::memory_mib).transpose()?,
            required: launch_types(document.requires_compatibilities.as_deref().unwrap_or_default())?,
        })
    }

    pub fn requires(&self, launch_type: LaunchType) -> bool {
        self.required.contains(&launch_type)
    }

    pub fn volumes(&self) -> &'d [ecs::Volume] {
        self.document.volumes.as_deref().unwrap_or_default()
    }

    pub fn container(&self, name: &str) -> Option<&'d ecs::ContainerDefinition> {
        self.containers.iter().find(|container| container.name.as_deref() == Some(name))
    }

    /// Whether the tasks are of Windows: some rules are for Linux only.
    pub fn is_windows(&self) -> bool {
        let platform = self.document.runtime_platform.as_ref();
        platform
            .and_then(|platform| platform.operating_system_family)
            .is_some_and(|family| family.as_str().starts_with("WINDOWS"))
    }
}

/// The name for messages; every container has one once `container::check` has passed.
pub(super) fn name(container: &ecs::ContainerDefinition) -> &str {
    container.name.as_deref().unwrap_or_default()
}

fn launch_types(compatibilities: &[Compatibility]) -> Result<Vec<LaunchType>, Error> {
    let mut all = Vec::new();
    for compatibility in compatibilities {
        let launch_type = match compatibility {
            Compatibility::Ec2 => LaunchType::Ec2,
            Compatibility::Fargate => LaunchType::Fargate,
            Compatibility::External => LaunchType::External,
            Compatibility::ManagedInstances => {
                return Err(refusal::own(
                    "Longshore has no managed instances: requiresCompatibilities may name EC2, FARGATE and EXTERNAL.",
                ));
            }
        };
        if !all.contains(&launch_type) {
            all.push(launch_type);
        }
    }
    Ok(all)
}
