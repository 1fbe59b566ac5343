//! What ECS fills in, so that a definition is given back as AWS gives it back.
//!
//! Observed in AWS's answers; the values are the API reference's defaults (PortMapping, HealthCheck,
//! ContainerDefinition).

use wire::Error;
use wire::ecs::{
    ContainerDefinition, HealthCheck, HostVolumeProperties, NetworkMode, PortMapping,
    RegisterTaskDefinitionRequest, TaskDefinition, TransportProtocol, Volume,
};

use super::size;

/// The definition without what registration adds: number, status, times, compatibilities.
pub(super) fn fill(request: RegisterTaskDefinitionRequest) -> Result<TaskDefinition, Error> {
    let mode = request.network_mode;
    let mut containers = request.container_definitions;
    containers.iter_mut().for_each(|container| fill_container(container, mode));
    let mut volumes = request.volumes.unwrap_or_default();
    volumes.iter_mut().for_each(fill_volume);
    Ok(TaskDefinition {
        container_definitions: Some(containers),
        // "String values are converted to an integer" (API reference).
        cpu: request.cpu.as_deref().map(size::cpu_units).transpose()?.map(|units| units.to_string()),
        memory: request.memory.as_deref().map(size::memory_mib).transpose()?.map(|mib| mib.to_string()),
        enable_fault_injection: request.enable_fault_injection,
        ephemeral_storage: request.ephemeral_storage,
        execution_role_arn: request.execution_role_arn,
        family: Some(request.family),
        inference_accelerators: request.inference_accelerators,
        ipc_mode: request.ipc_mode,
        network_mode: mode,
        pid_mode: request.pid_mode,
        placement_constraints: Some(request.placement_constraints.unwrap_or_default()),
        proxy_configuration: request.proxy_configuration,
        // "If no value is specified, the parameter is omitted from the response" (API reference).
        requires_compatibilities: request.requires_compatibilities.filter(|all| !all.is_empty()),
        runtime_platform: request.runtime_platform,
        task_role_arn: request.task_role_arn,
        trusted_execution_configuration: request.trusted_execution_configuration,
        volumes: Some(volumes),
        ..TaskDefinition::default()
    })
}

fn fill_container(container: &mut ContainerDefinition, mode: Option<NetworkMode>) {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    for port in container.port_mappings.get_or_insert_default() {
        fill_port(port, mode);
    }
    if let Some(check) = &mut container.health_check {
        fill_health_check(check);
    }
}

fn fill_port(port: &mut PortMapping, mode: Option<NetworkMode>) {
    port.protocol.get_or_insert(TransportProtocol::Tcp);
    let Some(container_port) = port.container_port else { return };
    // With an address or a stack of the host's own the two are one; on a bridge 0 is any free port.
    let shared = matches!(mode, Some(NetworkMode::Awsvpc | NetworkMode::Host));
    match port.host_port {
        None => port.host_port = Some(if shared { container_port } else { 0 }),
        Some(0) if shared => port.host_port = Some(container_port),
        Some(_) => {}
    }
}

fn fill_health_check(check: &mut HealthCheck) {
    check.interval.get_or_insert(30);
    check.timeout.get_or_insert(5);
    check.retries.get_or_insert(3);
}

/// A volume of which only the name is given is a directory that the host makes for the task.
fn fill_volume(volume: &mut Volume) {
    let only_named = *volume == Volume { name: volume.name.clone(), ..Volume::default() };
    if only_named {
        volume.host = Some(HostVolumeProperties::default());
    }
}
