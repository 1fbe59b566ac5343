//! One container of a payload.

use std::collections::BTreeMap;

use model::{Container as Record, NetworkMode, Task, TaskDefinition};
use wire::acs::container::{
    ContainerDependency, DockerConfig, EnvironmentFile, MountPoint, PortMapping, RestartPolicy, VolumeFrom,
};
use wire::{acs, ecs};

use super::agent::Runtime;
use super::docker;
use crate::arn;

/// Everything that a container's description is made of.
pub(super) struct Source<'a> {
    pub task: &'a Task,
    pub definition: &'a TaskDefinition,
    pub document: &'a ecs::TaskDefinition,
    pub container: &'a ecs::ContainerDefinition,
    pub record: &'a Record,
    /// The account's `defaultLogDriverMode`, where it was set.
    pub log_mode: Option<&'a str>,
    pub runtime: &'a Runtime,
    /// Whether the agent has credentials of the task's execution role.
    pub by_role: bool,
}

impl Source<'_> {
    pub(super) fn build(&self, overrides: &ecs::TaskOverride) -> Result<acs::Container, serde_json::Error> {
        let container = self.container;
        let name = container.name.clone().unwrap_or_default();
        let own = overrides
            .container_overrides
            .iter()
            .flatten()
            .find(|own| own.name.as_deref() == Some(&name))
            .cloned()
            .unwrap_or_default();
        let config = docker::config(self);
        let host = docker::host_config(self, &own);
        let image = container.image.as_deref().unwrap_or_default();
        let (image, registry_authentication) = match self.runtime {
            Runtime::Docker(docker) => docker.image(image, self.by_role),
            Runtime::Own => None,
        }
        .map_or((image.to_owned(), None), |(image, authentication)| (image, Some(authentication)));
        Ok(acs::Container {
            image,
            registry_authentication,
            essential: container.essential.unwrap_or(true),
            cpu: own.cpu.or(container.cpu).unwrap_or(0).into(),
            memory: own.memory.or(container.memory).unwrap_or(0).into(),
            command: own.command.or_else(|| container.command.clone()).filter(|command| !command.is_empty()),
            entry_point: container.entry_point.clone().filter(|entry| !entry.is_empty()),
            environment: environment(container, own.environment.as_deref()),
            environment_files: own
                .environment_files
                .iter()
                .chain(&container.environment_files)
                .flatten()
                .map(|file| EnvironmentFile {
                    value: file.value.clone(),
                    r#type: file.r#type.as_str().to_owned(),
                })
                .collect(),
            port_mappings: container.port_mappings.iter().flatten().map(|port| self.port(port)).collect(),
            mount_points: container
                .mount_points
                .iter()
                .flatten()
                .map(|mount| MountPoint {
                    source_volume: mount.source_volume.clone().unwrap_or_default(),
                    container_path: mount.container_path.clone().unwrap_or_default(),
                    read_only: mount.read_only.unwrap_or(false),
                })
                .collect(),
            volumes_from: container
                .volumes_from
                .iter()
                .flatten()
                .map(|from| VolumeFrom {
                    source_container: from.source_container.clone().unwrap_or_default(),
                    read_only: from.read_only.unwrap_or(false),
                })
                .collect(),
            links: container.links.clone().unwrap_or_default(),
            depends_on: container
                .depends_on
                .iter()
                .flatten()
                .map(|on| ContainerDependency {
                    container_name: on.container_name.clone(),
                    condition: on.condition.as_str().to_owned(),
                })
                .collect(),
            start_timeout: container.start_timeout.map(Into::into),
            stop_timeout: container.stop_timeout.map(Into::into),
            docker_config: Some(DockerConfig::new(docker::api_version(self.definition), &config, &host)?),
            health_check_type: self.record.health_checked.then(|| "docker".to_owned()),
            restart_policy: container.restart_policy.as_ref().map(|policy| RestartPolicy {
                enabled: policy.enabled,
                ignored_exit_codes: policy
                    .ignored_exit_codes
                    .iter()
                    .flatten()
                    .map(|code| (*code).into())
                    .collect(),
                restart_attempt_period: policy.restart_attempt_period.map(Into::into),
            }),
            logs_auth_strategy: (self.by_role && docker::logs_to_us(container))
                .then(|| "ExecutionRole".to_owned()),
            secrets: container.secrets.iter().flatten().map(docker::secret).collect(),
            container_arn: Some(arn::container(&self.task.cluster, self.task.id, self.record.id)),
            name,
            ..acs::Container::default()
        })
    }

    fn port(&self, port: &ecs::PortMapping) -> PortMapping {
        let number = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
        let shared = !matches!(self.definition.network_mode, NetworkMode::Bridge);
        PortMapping {
            container_port: number(port.container_port),
            // Where the container's port is the host's, or has an address of its own, they are one.
            host_port: if shared { number(port.container_port) } else { number(port.host_port) },
            protocol: port.protocol.map(|protocol| protocol.as_str().to_owned()),
            container_port_range: port.container_port_range.clone(),
        }
    }
}

/// The definition's environment, with the overrides' entries added or replaced.
fn environment(
    container: &ecs::ContainerDefinition,
    overrides: Option<&[ecs::KeyValuePair]>,
) -> BTreeMap<String, String> {
    let pairs = container.environment.iter().flatten().chain(overrides.unwrap_or_default());
    pairs.filter_map(|pair| Some((pair.name.clone()?, pair.value.clone().unwrap_or_default()))).collect()
}
