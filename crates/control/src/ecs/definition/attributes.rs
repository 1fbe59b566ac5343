//! What an instance must be able to do to run the tasks: the capabilities that agents register under
//! the same names (amazon-ecs-agent, `agent/app/agent_capability.go`).
//!
//! Which field asks for which is observed in AWS's answers; the versions are those of the Docker
//! Remote API that brought the field. A capability asked for needlessly would keep a task from an
//! instance that could run it, so what isn't known is not asked for.

use model::{Attribute, NetworkMode};
use wire::ecs::{self, ContainerDefinition, LogDriver};

use super::proposed::Proposed;

/// Without repetitions, in the order in which the fields are looked at.
pub(super) fn required(proposed: &Proposed<'_>) -> Vec<Attribute> {
    let mut names = Names::default();
    task(proposed, &mut names);
    proposed.containers.iter().for_each(|container| self::container(proposed, container, &mut names));
    proposed.volumes().iter().for_each(|volume| self::volume(volume, &mut names));
    names.0.into_iter().map(|name| Attribute { name: name.into(), value: None }).collect()
}

#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn add(&mut self, name: impl Into<String>) {
        let name = name.into();
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// Capabilities have this prefix that are older than the one of [`Names::ecs`].
    fn agent(&mut self, name: &str) {
        self.add(format!("com.amazonaws.ecs.capability.{name}"));
    }

    fn ecs(&mut self, name: &str) {
        self.add(format!("ecs.capability.{name}"));
    }

    fn docker(&mut self, version: &str) {
        self.agent(&format!("docker-remote-api.{version}"));
    }
}

fn task(proposed: &Proposed<'_>, names: &mut Names) {
    let document = proposed.document;
    if document.task_role_arn.is_some() {
        names.agent("task-iam-role");
        if proposed.network_mode == NetworkMode::Host {
            names.agent("task-iam-role-network-host");
        }
    }
    if proposed.network_mode == NetworkMode::Awsvpc {
        names.docker("1.18");
        names.ecs("task-eni");
    }
    if document.pid_mode.is_some() || document.ipc_mode.is_some() {
        names.ecs("pid-ipc-namespace-sharing");
    }
    if document.proxy_configuration.is_some() {
        names.ecs("aws-appmesh");
    }
    if document.ephemeral_storage.is_some() {
        names.ecs("extensible-ephemeral-storage");
    }
    if document.enable_fault_injection == Some(true) {
        names.ecs("fault-injection");
    }
}

fn container(proposed: &Proposed<'_>, container: &ContainerDefinition, names: &mut Names) {
    let role = proposed.document.execution_role_arn.is_some();
    if container.image.as_deref().is_some_and(is_ecr) {
        names.agent("ecr-auth");
        if role {
            names.ecs("execution-role-ecr-pull");
        }
    }
    if let Some(log) = &container.log_configuration {
        logging(log, role, names);
    }
    docker_fields(container, names);
    if container.depends_on.as_ref().is_some_and(|all| !all.is_empty())
        || container.start_timeout.is_some()
        || container.stop_timeout.is_some()
    {
        names.ecs("container-ordering");
    }
    if let Some(check) = &container.health_check {
        names.docker(if check.start_period.is_some() { "1.29" } else { "1.24" });
        names.ecs("container-health-check");
    }
    for secret in container.secrets.iter().flatten() {
        names.ecs(&format!("secrets.{}.environment-variables", store_of(secret)));
    }
    if container.repository_credentials.is_some() {
        names.ecs("private-registry-authentication.secretsmanager");
    }
    if container.environment_files.as_ref().is_some_and(|files| !files.is_empty()) {
        names.ecs("env-files.s3");
        names.docker("1.29");
    }
    if container.restart_policy.as_ref().is_some_and(|policy| policy.enabled) {
        names.ecs("container-restart-policy");
    }
    if container.port_mappings.iter().flatten().any(|port| port.container_port_range.is_some()) {
        names.ecs("network.container-port-range");
    }
    if let Some(router) = &container.firelens_configuration {
        names.ecs(&format!("firelens.{}", router.r#type));
        let config = router.options.as_ref().and_then(|options| options.get("config-file-type"));
        if let Some(config) = config.filter(|config| ["s3", "file"].contains(&config.as_str())) {
            names.ecs(&format!("firelens.options.config.{config}"));
        }
    }
}

/// Fields that Docker has had since a version of its API.
fn docker_fields(container: &ContainerDefinition, names: &mut Names) {
    let linux = container.linux_parameters.as_ref();
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let v1_17 = container.hostname.is_some()
        || container.user.is_some()
        || container.working_directory.is_some()
        || container.disable_networking == Some(true)
        || container.readonly_root_filesystem == Some(true)
        || some(&container.dns_servers)
        || some(&container.dns_search_domains)
        || container.extra_hosts.as_ref().is_some_and(|hosts| !hosts.is_empty());
    let versions = [
        (v1_17 || container.privileged == Some(true), "1.17"),
        (container.docker_labels.as_ref().is_some_and(|labels| !labels.is_empty()), "1.18"),
        (container.ulimits.as_ref().is_some_and(|limits| !limits.is_empty()), "1.18"),
        (container.memory_reservation.is_some(), "1.21"),
        (linux.is_some_and(|linux| linux.tmpfs.as_ref().is_some_and(|all| !all.is_empty())), "1.22"),
        (linux.is_some_and(|linux| linux.shared_memory_size.is_some()), "1.22"),
        (linux.is_some_and(|linux| linux.init_process_enabled == Some(true)), "1.25"),
    ];
    versions.iter().filter(|(asked, _)| *asked).for_each(|(_, version)| names.docker(version));
    if container.privileged == Some(true) {
        names.agent("privileged-container");
    }
    for option in container.docker_security_options.iter().flatten() {
        if option.starts_with("label:") {
            names.agent("selinux");
        } else if option.starts_with("apparmor:") {
            names.agent("apparmor");
        }
    }
}

fn logging(log: &ecs::LogConfiguration, role: bool, names: &mut Names) {
    names.agent(&format!("logging-driver.{}", log.log_driver));
    match log.log_driver {
        LogDriver::JsonFile | LogDriver::Syslog => names.docker("1.18"),
        _ => names.docker("1.19"),
    }
    if log.log_driver == LogDriver::Awslogs && role {
        names.ecs("execution-role-awslogs");
    }
    let mode = log.options.as_ref().and_then(|options| options.get("mode"));
    if mode.is_some_and(|mode| mode == "non-blocking") {
        names.docker("1.28");
    }
    for secret in log.secret_options.iter().flatten() {
        names.ecs(&format!("secrets.{}.bootstrap.log-driver", store_of(secret)));
    }
}

fn volume(volume: &ecs::Volume, names: &mut Names) {
    if let Some(docker) = &volume.docker_volume_configuration {
        names.ecs(&format!("docker-plugin.{}", docker.driver.as_deref().unwrap_or("local")));
        names.docker("1.25");
    }
    if let Some(efs) = &volume.efs_volume_configuration {
        names.ecs("efs");
        names.docker("1.25");
        if efs.authorization_config.is_some() || efs.transit_encryption.is_some() {
            names.ecs("efsAuth");
        }
    }
    if volume.fsx_windows_file_server_volume_configuration.is_some() {
        names.ecs("fsxWindowsFileServer");
    }
    if volume.configured_at_launch == Some(true) {
        names.ecs("storage.ebs-task-volume-attach");
    }
}

/// Systems Manager's parameters have ARNs of their own service; a bare name is one of them too.
fn store_of(secret: &ecs::Secret) -> &'static str {
    if secret.value_from.contains(":secretsmanager:") { "asm" } else { "ssm" }
}

/// `<account>.dkr.ecr.<region>.amazonaws.com[.cn]/…`
fn is_ecr(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}
