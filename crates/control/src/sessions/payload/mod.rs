//! What the agent is told of a task: the definition with the task's overrides merged in, in the
//! shapes of ECS's agent protocol. Pure.
//!
//! The agent protocol knows fewer fields than the API. What it can't carry in a field of its own
//! goes into Docker's `Config` and `HostConfig`, as ECS does it.

mod agent;
mod container;
mod docker;

pub(crate) use agent::Runtime;

use std::sync::Arc;

use model::{Eni, LaunchType, NetworkMode, Task, TaskDefinition, World};
use wire::acs::network::Ipv4Address;
use wire::acs::{self, ElasticNetworkInterface, IamRoleCredentials, RoleType};
use wire::ecs;

use crate::arn;
use crate::ecs::account_setting;
use crate::ecs::launch::capacity::FARGATE_STORAGE_GIB;
use crate::task_keys::Roles;

/// Why a task can't be described to an agent. None of these happens to a definition that
/// RegisterTaskDefinition took.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("task {0}: its task definition is gone")]
    DefinitionGone(model::TaskId),
    #[error("task {task}: the stored {what} can't be read")]
    Unreadable {
        task: model::TaskId,
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

/// The task as the agent on its instance is told of it.
pub(crate) fn task(
    world: &World,
    task: &Task,
    runtime: &Runtime,
    now_ms: u64,
) -> Result<acs::Task, PayloadError> {
    let Read { definition, document, overrides } = read(world, task)?;
    let unreadable = |what| move |source| PayloadError::Unreadable { task: task.id, what, source };
    let given = runtime.credentials(task.id, &Roles::new(&document, &overrides), now_ms);
    let of = |role| given.iter().find(|(of, _)| *of == role).map(|(_, credentials)| credentials.clone());
    let execution_role_credentials = of(RoleType::TaskExecution);
    let scope = &task.cluster.scope;
    let root = account_setting::root(scope);
    let log_mode = account_setting::set(world, scope, &root, ecs::SettingName::DefaultLogDriverMode);
    let containers = document
        .container_definitions
        .iter()
        .flatten()
        .zip(&task.containers)
        .map(|(container, record)| {
            let own = container::Source {
                task,
                definition,
                document: &document,
                container,
                record,
                log_mode,
                runtime,
                by_role: execution_role_credentials.is_some(),
            };
            own.build(&overrides)
        })
        .collect::<Result<_, _>>()
        .map_err(unreadable("container definitions"))?;
    Ok(acs::Task {
        arn: arn::task(&task.cluster, task.id),
        desired_status: Some(task.desired_status.as_str().to_owned()),
        family: task.definition.family.to_string(),
        version: task.definition.revision.to_string(),
        task_cluster_arn: Some(arn::cluster(&task.cluster)),
        task_definition_account_id: Some(scope.account.to_string()),
        zone: Some(arn::availability_zone(scope)),
        group: task.group.as_ref().map(ToString::to_string),
        service_name: task.service.as_ref().map(ToString::to_string),
        launch_type: Some(task.launch_type.as_str().to_owned()),
        cpu: task_limit(task, definition.cpu.is_some() || overrides.cpu.is_some(), task.size.cpu)
            .map(|units| units as f64 / 1024.0),
        memory: task_limit(
            task,
            definition.memory_mib.is_some() || overrides.memory.is_some(),
            task.size.memory_mib,
        ),
        containers,
        volumes: document.volumes.iter().flatten().map(volume).collect(),
        network_mode: Some(definition.network_mode.as_str().to_owned()),
        pid_mode: document.pid_mode.map(|mode| mode.as_str().to_owned()),
        ipc_mode: document.ipc_mode.map(|mode| mode.as_str().to_owned()),
        elastic_network_interfaces: task.eni.iter().map(|eni| interface(task, eni)).collect(),
        ephemeral_storage_mib: (task.launch_type == LaunchType::Fargate)
            .then(|| u64::from(task.ephemeral_storage_gib.unwrap_or(FARGATE_STORAGE_GIB)) * 1024),
        enable_fault_injection: document.enable_fault_injection,
        associations: task.containers.iter().flat_map(gpus).collect(),
        role_credentials: of(RoleType::TaskApplication),
        execution_role_credentials,
        ..acs::Task::default()
    })
}

/// Fresh credentials of the task's roles.
pub(crate) fn credentials(
    world: &World,
    task: &Task,
    runtime: &Runtime,
    now_ms: u64,
) -> Result<Vec<(RoleType, IamRoleCredentials)>, PayloadError> {
    let Read { document, overrides, .. } = read(world, task)?;
    Ok(runtime.credentials(task.id, &Roles::new(&document, &overrides), now_ms))
}

struct Read<'w> {
    definition: &'w TaskDefinition,
    document: Arc<ecs::TaskDefinition>,
    overrides: ecs::TaskOverride,
}

/// What the task was made of.
fn read<'w>(world: &'w World, task: &Task) -> Result<Read<'w>, PayloadError> {
    let definition = world.definition(&task.definition_key()).ok_or(PayloadError::DefinitionGone(task.id))?;
    let unreadable = |what| move |source| PayloadError::Unreadable { task: task.id, what, source };
    let document =
        definition.document.shared::<ecs::TaskDefinition>().map_err(unreadable("task definition"))?;
    let overrides = match &task.overrides {
        Some(overrides) => overrides.to().map_err(unreadable("overrides"))?,
        None => ecs::TaskOverride::default(),
    };
    Ok(Read { definition, document, overrides })
}

/// A GPU is one container's: the official agent takes no other association.
fn gpus(container: &model::Container) -> impl Iterator<Item = acs::task::Association> {
    container.gpus.iter().map(|id| acs::task::Association {
        name: id.to_string(),
        r#type: "gpu".to_owned(),
        content: None,
        containers: vec![container.name.to_string()],
    })
}

/// A task-level limit exists where the definition or an override (or, for FARGATE, the size) has one.
fn task_limit(task: &Task, defined: bool, actual: i64) -> Option<i64> {
    (defined || task.launch_type == LaunchType::Fargate).then_some(actual)
}

fn volume(volume: &ecs::Volume) -> acs::task::Volume {
    let kind = if volume.docker_volume_configuration.is_some() {
        "docker"
    } else if volume.efs_volume_configuration.is_some() {
        "efs"
    } else if volume.fsx_windows_file_server_volume_configuration.is_some() {
        "fsxWindowsFileServer"
    } else if volume.s3files_volume_configuration.is_some() {
        "s3files"
    } else if volume.configured_at_launch == Some(true) {
        // A volume of EBS comes as an attachment, of which there is none: no agent may take it for empty.
        "configuredAtLaunch"
    } else {
        "host"
    };
    let docker = volume.docker_volume_configuration.as_ref();
    acs::task::Volume {
        name: volume.name.clone().unwrap_or_default(),
        r#type: Some(kind.to_owned()),
        host: (kind == "host").then(|| acs::task::HostVolume {
            source_path: volume.host.as_ref().and_then(|host| host.source_path.clone()),
        }),
        docker_volume_configuration: docker.map(|docker| acs::task::DockerVolumeConfiguration {
            scope: docker.scope.map(|scope| scope.as_str().to_owned()),
            autoprovision: docker.autoprovision,
            driver: docker.driver.clone(),
            driver_opts: docker.driver_opts.clone().unwrap_or_default(),
            labels: docker.labels.clone().unwrap_or_default(),
        }),
        efs_volume_configuration: volume
            .efs_volume_configuration
            .as_ref()
            .and_then(|efs| serde_json::to_value(efs).ok()),
        fsx_windows_file_server_volume_configuration: None,
    }
}

fn interface(task: &Task, eni: &Eni) -> ElasticNetworkInterface {
    ElasticNetworkInterface {
        ec2_id: eni.eni_id.to_string(),
        mac_address: eni.mac.to_string(),
        ipv4_addresses: vec![Ipv4Address { private_address: eni.address.to_string(), primary: true }],
        subnet_gateway_ipv4_address: Some(format!("{}/{}", eni.gateway, eni.prefix)),
        private_dns_name: Some(arn::private_dns_name(&task.cluster.scope, eni.address)),
        interface_association_protocol: Some("default".to_owned()),
        attachment_arn: Some(arn::attachment(&task.cluster.scope, eni.attachment_id)),
        ..ElasticNetworkInterface::default()
    }
}

/// Docker's word for the task's network mode, which every container's `HostConfig` repeats.
fn docker_network_mode(mode: NetworkMode) -> &'static str {
    mode.as_str()
}

#[cfg(test)]
mod tests;
