//! What the agent protocol carries in Docker's own terms: `Config` and `HostConfig`.

use std::collections::BTreeMap;

use model::TaskDefinition;
use wire::acs::container::Secret;
use wire::acs::docker::{ContainerConfig, Device, Healthcheck, HostConfig, LogConfig, Ulimit};
use wire::ecs;

use super::agent::Runtime;
use super::container::Source;

const NANOSECONDS: i64 = 1_000_000_000;
const MIB: i64 = 1024 * 1024;

/// The version of Docker's API that has all that is asked for: of an older one the daemon passes over what it didn't
/// have. The definition requires it of the instance.
pub(super) fn api_version(definition: &TaskDefinition) -> &str {
    let versions = definition.requires_attributes.iter().filter_map(|attribute| {
        let version = attribute.name.strip_prefix("com.amazonaws.ecs.capability.docker-remote-api.")?;
        let minor: u32 = version.strip_prefix("1.")?.parse().ok()?;
        Some((minor, version))
    });
    versions.max().map_or("1.18", |(_, version)| version)
}

pub(super) fn config(source: &Source<'_>) -> ContainerConfig {
    let container = source.container;
    ContainerConfig {
        user: container.user.clone(),
        working_dir: container.working_directory.clone(),
        hostname: container.hostname.clone(),
        tty: container.pseudo_terminal,
        open_stdin: container.interactive,
        labels: container.docker_labels.clone().filter(|labels| !labels.is_empty()),
        network_disabled: container.disable_networking,
        healthcheck: container.health_check.as_ref().map(health_check),
        ..ContainerConfig::default()
    }
}

/// Defaults are those of the ECS API reference, HealthCheck.
fn health_check(check: &ecs::HealthCheck) -> Healthcheck {
    let seconds = |value: Option<i32>, default: i64| Some(value.map_or(default, i64::from) * NANOSECONDS);
    Healthcheck {
        test: check.command.clone(),
        interval: seconds(check.interval, 30),
        timeout: seconds(check.timeout, 5),
        start_period: check.start_period.map(|seconds| i64::from(seconds) * NANOSECONDS),
        retries: Some(check.retries.map_or(3, i64::from)),
    }
}

pub(super) fn host_config(source: &Source<'_>, own: &ecs::ContainerOverride) -> HostConfig {
    let container = source.container;
    let linux = container.linux_parameters.as_ref();
    let capabilities = linux.and_then(|linux| linux.capabilities.as_ref());
    let reservation = own.memory_reservation.or(container.memory_reservation);
    let list = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
    HostConfig {
        network_mode: Some(super::docker_network_mode(source.definition.network_mode).to_owned()),
        log_config: container.log_configuration.as_ref().map(|log| log_config(source, log)),
        privileged: container.privileged,
        readonly_rootfs: container.readonly_root_filesystem,
        cap_add: capabilities.and_then(|capabilities| list(&capabilities.add)),
        cap_drop: capabilities.and_then(|capabilities| list(&capabilities.drop)),
        dns: list(&container.dns_servers),
        dns_search: list(&container.dns_search_domains),
        extra_hosts: container
            .extra_hosts
            .as_ref()
            .filter(|hosts| !hosts.is_empty())
            .map(|hosts| hosts.iter().map(|host| format!("{}:{}", host.hostname, host.ip_address)).collect()),
        security_opt: list(&container.docker_security_options),
        ulimits: container
            .ulimits
            .as_ref()
            .filter(|ulimits| !ulimits.is_empty())
            .map(|ulimits| ulimits.iter().map(ulimit).collect()),
        devices: linux
            .and_then(|linux| linux.devices.as_ref())
            .filter(|devices| !devices.is_empty())
            .map(|devices| devices.iter().map(device).collect()),
        init: linux.and_then(|linux| linux.init_process_enabled),
        shm_size: linux.and_then(|linux| linux.shared_memory_size).map(|mib| i64::from(mib) * MIB),
        tmpfs: linux
            .and_then(|linux| linux.tmpfs.as_ref())
            .filter(|mounts| !mounts.is_empty())
            .map(|mounts| mounts.iter().map(tmpfs).collect()),
        sysctls: container.system_controls.as_ref().filter(|controls| !controls.is_empty()).map(|controls| {
            controls
                .iter()
                .filter_map(|control| Some((control.namespace.clone()?, control.value.clone()?)))
                .collect()
        }),
        memory_reservation: reservation.map(|mib| i64::from(mib) * MIB),
        memory_swap: linux.and_then(|linux| linux.max_swap).map(|mib| i64::from(mib) * MIB),
        memory_swappiness: linux.and_then(|linux| linux.swappiness).map(Into::into),
        ipc_mode: source.document.ipc_mode.map(|mode| mode.as_str().to_owned()),
        pid_mode: source.document.pid_mode.map(|mode| mode.as_str().to_owned()),
        ..HostConfig::default()
    }
}

fn ulimit(limit: &ecs::Ulimit) -> Ulimit {
    Ulimit {
        name: limit.name.as_str().to_owned(),
        soft: limit.soft_limit.into(),
        hard: limit.hard_limit.into(),
    }
}

fn device(device: &ecs::Device) -> Device {
    let permissions = device.permissions.iter().flatten().map(|permission| match permission {
        ecs::DeviceCgroupPermission::Read => 'r',
        ecs::DeviceCgroupPermission::Write => 'w',
        ecs::DeviceCgroupPermission::Mknod => 'm',
    });
    let permissions: String = permissions.collect();
    Device {
        path_on_host: device.host_path.clone(),
        path_in_container: device.container_path.clone().unwrap_or_else(|| device.host_path.clone()),
        // Read, write and mknod where none is named (ECS API reference, Device).
        cgroup_permissions: if permissions.is_empty() { "rwm".to_owned() } else { permissions },
    }
}

fn tmpfs(mount: &ecs::Tmpfs) -> (String, String) {
    let mut options = mount.mount_options.clone().unwrap_or_default();
    options.push(format!("size={}", i64::from(mount.size) * MIB));
    (mount.container_path.clone(), options.join(","))
}

pub(super) fn logs_to_us(container: &ecs::ContainerDefinition) -> bool {
    container.log_configuration.as_ref().is_some_and(|log| log.log_driver == ecs::LogDriver::Awslogs)
}

/// The options with what ECS itself fills in for `awslogs`: the region, and the stream's whole name
/// `prefix/container/task` (ECS developer guide, "Using the awslogs log driver").
fn log_config(source: &Source<'_>, log: &ecs::LogConfiguration) -> LogConfig {
    let mut options: BTreeMap<String, String> = log.options.clone().unwrap_or_default();
    if log.log_driver == ecs::LogDriver::Awslogs {
        let task = source.task;
        options.entry("awslogs-region".to_owned()).or_insert_with(|| task.cluster.scope.region.to_string());
        let name = source.container.name.as_deref().unwrap_or_default();
        let stream = match options.remove("awslogs-stream-prefix") {
            Some(prefix) => format!("{prefix}/{name}/{}", task.id),
            // Docker's driver names the stream by the container's id.
            None => source.record.id.to_string(),
        };
        options.insert("awslogs-stream".to_owned(), stream);
        if let Runtime::Docker(docker) = source.runtime {
            options.entry("awslogs-endpoint".to_owned()).or_insert_with(|| docker.logs_endpoint().to_owned());
        }
    }
    // FireLens hands its options to the router, which knows no such option.
    if log.log_driver != ecs::LogDriver::Awsfirelens {
        let mode = source.log_mode.map(|mode| ("mode".to_owned(), mode.to_owned()));
        mode.into_iter().for_each(|(name, mode)| {
            options.entry(name).or_insert(mode);
        });
    }
    LogConfig { r#type: log.log_driver.as_str().to_owned(), config: options }
}

/// Where a secret is kept follows from its ARN; a bare name is a parameter of Systems Manager.
pub(super) fn secret(secret: &ecs::Secret) -> Secret {
    let provider = if secret.value_from.contains(":secretsmanager:") { "asm" } else { "ssm" };
    Secret {
        name: secret.name.clone(),
        value_from: secret.value_from.clone(),
        region: secret.value_from.split(':').nth(3).map(ToOwned::to_owned),
        provider: provider.to_owned(),
        r#type: Some("ENVIRONMENT_VARIABLE".to_owned()),
        target: Some("CONTAINER".to_owned()),
        container_path: None,
    }
}
