//! What FARGATE refuses (ECS developer guide, "Task definition differences for Fargate").
//!
//! That `awslogs` and images of ECR need an execution role is not asked: Longshore has no roles, and
//! its agents pull and log with their own credentials.

use model::NetworkMode;
use wire::Error;
use wire::ecs::{ContainerDefinition, LinuxParameters, LogDriver, PidMode};

use super::gpus;
use super::logging::option;
use super::proposed::Proposed;
use super::refusal::said;
use super::size;

/// API reference, ContainerDefinition.startTimeout and stopTimeout.
const MOST_TIMEOUT_S: i32 = 120;
/// The one capability that may be added (API reference, KernelCapabilities).
const ADDABLE: &str = "SYS_PTRACE";

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    if proposed.network_mode != NetworkMode::Awsvpc {
        return Err(said("Fargate only supports network mode ‘awsvpc’."));
    }
    let lacks = |field| said(format!("Fargate requires that '{field}' be defined at the task level."));
    let cpu = proposed.cpu.ok_or_else(|| lacks("cpu"))?;
    let memory_mib = proposed.memory_mib.ok_or_else(|| lacks("memory"))?;
    size::check_fargate(cpu, memory_mib, proposed.is_windows())?;
    check_task(proposed)?;
    proposed.containers.iter().try_for_each(check_container)
}

fn unsupported(field: &str) -> Error {
    said(format!("Fargate compatible task definitions do not support {field}"))
}

fn check_task(proposed: &Proposed<'_>) -> Result<(), Error> {
    let document = proposed.document;
    if document.ipc_mode.is_some() {
        return Err(unsupported("ipcMode"));
    }
    if document.pid_mode == Some(PidMode::Host) {
        return Err(said("Tasks using the Fargate launch type do not support pidMode 'host'."));
    }
    if document.placement_constraints.as_ref().is_some_and(|constraints| !constraints.is_empty()) {
        return Err(unsupported("constraints"));
    }
    for volume in proposed.volumes() {
        if volume.host.as_ref().is_some_and(|host| host.source_path.is_some()) {
            return Err(unsupported("sourcePath"));
        }
        if volume.docker_volume_configuration.is_some() {
            return Err(unsupported("dockerVolumeConfiguration"));
        }
        if volume.fsx_windows_file_server_volume_configuration.is_some() {
            return Err(unsupported("fsxWindowsFileServerVolumeConfiguration"));
        }
    }
    Ok(())
}

fn check_container(container: &ContainerDefinition) -> Result<(), Error> {
    if container.privileged == Some(true) {
        return Err(said("Fargate requires that the 'privileged' setting be 'false'."));
    }
    if container.docker_security_options.as_ref().is_some_and(|options| !options.is_empty()) {
        return Err(unsupported("dockerSecurityOptions"));
    }
    if gpus::count(container.resource_requirements.as_deref().unwrap_or_default()) > 0 {
        return Err(said(gpus::NOT_ON_FARGATE));
    }
    for (timeout, what) in [(container.start_timeout, "start"), (container.stop_timeout, "stop")] {
        if timeout.is_some_and(|seconds| seconds > MOST_TIMEOUT_S) {
            return Err(said(format!(
                "Tasks using the Fargate launch type must have a container {what} timeout of less than 120 seconds."
            )));
        }
    }
    if let Some(linux) = &container.linux_parameters {
        check_linux(linux)?;
    }
    check_log(container)
}

fn check_linux(linux: &LinuxParameters) -> Result<(), Error> {
    if linux.devices.as_ref().is_some_and(|devices| !devices.is_empty()) {
        return Err(unsupported("devices"));
    }
    let numbers = [
        (linux.shared_memory_size, "sharedMemorySize"),
        (linux.max_swap, "maxSwap"),
        (linux.swappiness, "swappiness"),
    ];
    if let Some((_, field)) = numbers.into_iter().find(|(value, _)| value.is_some()) {
        return Err(unsupported(field));
    }
    let added = linux.capabilities.as_ref().and_then(|capabilities| capabilities.add.as_deref());
    match added.unwrap_or_default().iter().find(|capability| *capability != ADDABLE) {
        Some(capability) => Err(said(format!("{capability} is not allowed on Fargate."))),
        None => Ok(()),
    }
}

fn check_log(container: &ContainerDefinition) -> Result<(), Error> {
    if let Some(log) = &container.log_configuration {
        let known = [LogDriver::Awslogs, LogDriver::Splunk, LogDriver::Awsfirelens];
        if !known.contains(&log.log_driver) {
            return Err(said(format!(
                "{} is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
                log.log_driver
            )));
        }
        if log.log_driver == LogDriver::Awslogs && option(log, "awslogs-stream-prefix").is_none() {
            return Err(said(
                "Fargate requires log configuration options to include awslogs-stream-prefix \
                 to support log driver awslogs.",
            ));
        }
    }
    let router = container.firelens_configuration.as_ref().and_then(|router| router.options.as_ref());
    if router.and_then(|options| options.get("config-file-type")).is_some_and(|kind| kind == "s3") {
        return Err(said("Fargate launch type does not support FirelensConfiguration config file from 's3'"));
    }
    Ok(())
}
