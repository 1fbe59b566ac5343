//! Reads a payload's task: its course for the step function, its containers for the machine, and
//! what this agent does not honour and therefore refuses by name.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use wire::acs::docker::{ContainerConfig, HostConfig};
use wire::acs::{Container, Task};

use super::vitals::Vital;
use crate::logs::AwsLogs;
use crate::network::files::HostLine;
use crate::network::{Address, NetworkMode, PortWish, parse_mac};
use crate::state::StateDir;
use crate::task::{Binding, Condition, ContainerSpec, Dependency, RestartPolicy, TaskSpec};
use crate::volumes::{self, Volume};

mod gpus;
mod health;
mod network;

/// ECS's default, in seconds, between the stop signal and SIGKILL.
const STOP_TIMEOUT_S: i64 = 30;
/// ECS's default, in seconds, that a container must run before it is restarted (API reference,
/// ContainerRestartPolicy).
const RESTART_ATTEMPT_PERIOD_S: i64 = 300;

/// Why a task can't run here, in words for the task's stopped reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    pub reason: String,
}

impl Refusal {
    pub fn new(reason: impl Into<String>) -> Self {
        Refusal { reason: reason.into() }
    }
}

/// What the machine needs of a container.
#[derive(Clone, Debug)]
pub struct ContainerWork {
    pub payload: Container,
    pub config: ContainerConfig,
    pub host: HostConfig,
    /// The runtime's id, unique on the machine; ECS shows it as `runtimeId`.
    pub runtime_id: String,
    pub bundle: PathBuf,
    /// Absent: what it writes is discarded, as on Fargate.
    pub logs: Option<AwsLogs>,
    /// The arguments of its health check's process.
    pub check: Option<Vec<String>>,
    /// Ports of the machine that are to lead to it.
    pub ports: Vec<PortWish>,
    pub links: Vec<Link>,
    /// `extraHosts`
    pub extra_hosts: Vec<HostLine>,
    /// `dnsServers`
    pub dns: Vec<Ipv4Addr>,
    /// The ids of the GPUs that are its own.
    pub gpus: Vec<String>,
}

/// Another container of the task, and the name it is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub to: usize,
    pub alias: String,
}

/// What the machine needs of a task.
#[derive(Debug)]
pub struct Work {
    pub id: String,
    pub task: Task,
    pub containers: Vec<ContainerWork>,
    pub mode: NetworkMode,
    pub address: Option<Address>,
    pub dns: Vec<Ipv4Addr>,
    pub volumes: Vec<Volume>,
    closed: AtomicBool,
    vitals: Mutex<Vec<Vital>>,
    bindings: Mutex<Vec<Vec<Binding>>>,
}

impl Work {
    /// Of each container, in their order; none before the task's actor has begun.
    pub fn vitals(&self) -> Vec<Vital> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns what there was before.
    pub(super) fn set_vitals(&self, vitals: Vec<Vital>) -> Vec<Vital> {
        std::mem::replace(&mut *self.vitals.lock().unwrap_or_else(PoisonError::into_inner), vitals)
    }

    /// The network of one of its containers: `disableNetworking` is each container's own.
    pub fn mode_of(&self, container: usize) -> NetworkMode {
        match self.mode {
            NetworkMode::Awsvpc => NetworkMode::Awsvpc,
            _ if self.containers[container].config.network_disabled == Some(true) => NetworkMode::None,
            mode => mode,
        }
    }

    /// The ports of the machine that a container has.
    pub fn bindings(&self, container: usize) -> Vec<Binding> {
        let all = self.bindings.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(container).cloned().unwrap_or_default()
    }

    pub(super) fn set_bindings(&self, bindings: Vec<Vec<Binding>>) {
        *self.bindings.lock().unwrap_or_else(PoisonError::into_inner) = bindings;
    }

    /// The task is over and everything has been said.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// The course of a task. What can't be followed (an unknown name, a cycle) is refused by [`work`];
/// here it is left out, so that the result is a task that ends.
pub(super) fn spec(task: &Task) -> TaskSpec {
    let index = |name: &str| task.containers.iter().position(|c| c.name == name);
    let seconds = |s: i64| u64::try_from(s).unwrap_or(0).saturating_mul(1000);
    let containers = task.containers.iter().map(|c| ContainerSpec {
        name: c.name.clone(),
        essential: c.essential,
        depends_on: c
            .depends_on
            .iter()
            .filter_map(|d| {
                Some(Dependency { on: index(&d.container_name)?, condition: condition(&d.condition)? })
            })
            .chain(c.volumes_from.iter().filter_map(|from| {
                Some(Dependency { on: index(&from.source_container)?, condition: Condition::Create })
            }))
            .chain(c.links.iter().filter_map(|link| {
                Some(Dependency { on: index(network::linked(link).0)?, condition: Condition::Start })
            }))
            .collect(),
        start_timeout_ms: c.start_timeout.filter(|s| *s > 0).map(seconds),
        stop_timeout_ms: seconds(c.stop_timeout.filter(|s| *s > 0).unwrap_or(STOP_TIMEOUT_S)),
        health: health::times(c),
        restart: c.restart_policy.as_ref().filter(|policy| policy.enabled).map(|policy| RestartPolicy {
            ignored_exit_codes: policy
                .ignored_exit_codes
                .iter()
                .filter_map(|n| i32::try_from(*n).ok())
                .collect(),
            attempt_period_ms: seconds(policy.restart_attempt_period.unwrap_or(RESTART_ATTEMPT_PERIOD_S)),
        }),
    });
    TaskSpec { arn: task.arn.clone(), containers: containers.collect() }
}

fn condition(text: &str) -> Option<Condition> {
    match text {
        "CREATE" => Some(Condition::Create),
        "START" => Some(Condition::Start),
        "COMPLETE" => Some(Condition::Complete),
        "SUCCESS" => Some(Condition::Success),
        "HEALTHY" => Some(Condition::Healthy),
        _ => None,
    }
}

/// The machine's side of a task, and why it can't run here if it can't.
pub(super) fn work(id: &str, task: Task, dir: &StateDir) -> (Work, Option<Refusal>) {
    let mut refused = check(&task).err();
    let mut containers = vec![];
    for (n, payload) in task.containers.iter().enumerate() {
        let (config, host, logs) = match details(payload) {
            Ok(details) => details,
            Err(refusal) => {
                refused.get_or_insert(refusal);
                Default::default()
            }
        };
        let check = health::command(payload).unwrap_or_else(|refusal| {
            refused.get_or_insert(refusal);
            None
        });
        let network = network::of(&task, payload, &host).unwrap_or_else(|refusal| {
            refused.get_or_insert(refusal);
            Default::default()
        });
        containers.push(ContainerWork {
            check,
            ports: network.ports,
            links: network.links,
            extra_hosts: network.extra_hosts,
            dns: network.dns,
            gpus: gpus::of(&task, &payload.name),
            payload: payload.clone(),
            config,
            host,
            runtime_id: runtime_id(id, &payload.name),
            bundle: dir.bundle(id, n),
            logs,
        });
    }
    let address = match address(&task) {
        Ok(address) => address,
        Err(refusal) => {
            refused.get_or_insert(refusal);
            None
        }
    };
    let dns = task.elastic_network_interfaces.iter().flat_map(|e| &e.domain_name_servers);
    let dns = dns.filter_map(|s| s.parse().ok()).collect();
    let volumes = volumes::declared(&task).unwrap_or_else(|error| {
        refused.get_or_insert(Refusal::new(error.to_string()));
        vec![]
    });
    let mode = network::mode(&task).unwrap_or_else(|refusal| {
        refused.get_or_insert(refusal);
        NetworkMode::None
    });
    let work = Work {
        id: id.to_owned(),
        task,
        containers,
        mode,
        address,
        dns,
        volumes,
        closed: AtomicBool::new(false),
        vitals: Mutex::default(),
        bindings: Mutex::default(),
    };
    (work, refused)
}

/// As on Fargate: the task's id and ten digits.
fn runtime_id(id: &str, name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let digits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    format!("{id}-{digits:010}")
}

fn details(c: &Container) -> Result<(ContainerConfig, HostConfig, Option<AwsLogs>), Refusal> {
    let docker = c.docker_config.clone().unwrap_or_default();
    let bad = |what, e: serde_json::Error| {
        Refusal::new(format!(
            "HostConfigError: Unable to decode given {what} config of container {}: {e}",
            c.name
        ))
    };
    let config = docker.config().map_err(|e| bad("docker", e))?;
    let host = docker.host_config().map_err(|e| bad("host", e))?;
    let refuse = |field: &str| Err(Refusal::new(unsupported(c, field)));
    let set = |b: Option<bool>| b == Some(true);
    // Each of these would change what the container does.
    let config_fields = [
        ("pseudoTerminal", set(config.tty)),
        ("interactive", set(config.open_stdin)),
        ("domainname", filled(&config.domainname)),
    ];
    let some = |l: &Option<Vec<String>>| l.as_ref().is_some_and(|l| !l.is_empty());
    let host_fields = [
        ("privileged", set(host.privileged)),
        ("dockerSecurityOptions", some(&host.security_opt)),
        ("linuxParameters.devices", host.devices.as_ref().is_some_and(|d| !d.is_empty())),
        ("linuxParameters.initProcessEnabled", set(host.init)),
        ("ipcMode", filled(&host.ipc_mode)),
    ];
    if let Some((field, _)) = config_fields.iter().chain(&host_fields).find(|(_, is_set)| *is_set) {
        return refuse(field);
    }
    if let Some(field) = config.other.keys().next() {
        return refuse(&format!("dockerConfig.config.{field}"));
    }
    let logs = match &host.log_config {
        Some(log) if log.r#type == "awslogs" => Some(AwsLogs::parse(&log.config).map_err(|why| {
            Refusal::new(format!(
                "ResourceInitializationError: failed to validate logger args of container {}: {why}",
                c.name
            ))
        })?),
        Some(log) if !matches!(log.r#type.as_str(), "" | "none") => {
            return refuse(&format!("logDriver {}", log.r#type));
        }
        _ => None,
    };
    Ok((config, host, logs))
}

fn filled(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|t| !t.is_empty())
}

fn unsupported(c: &Container, field: &str) -> String {
    format!("UnsupportedFeature: container {} uses {field}, which this agent does not support yet", c.name)
}

/// Fields outside the Docker configuration, and the shape of the dependencies.
fn check(task: &Task) -> Result<(), Refusal> {
    let whole = |field: &str| {
        Err(Refusal::new(format!(
            "UnsupportedFeature: the task uses {field}, which this agent does not support yet"
        )))
    };
    if task.containers.is_empty() {
        return Err(Refusal::new("the task has no containers"));
    }
    if task.proxy_configuration.is_some() {
        return whole("proxyConfiguration");
    }
    gpus::check(task)?;
    if filled(&task.pid_mode) {
        return whole("pidMode");
    }
    if filled(&task.ipc_mode) {
        return whole("ipcMode");
    }
    if !task.attachments.is_empty() {
        return whole("attachments");
    }
    for (n, c) in task.containers.iter().enumerate() {
        if task.containers[..n].iter().any(|other| other.name == c.name) {
            return Err(Refusal::new(format!("container name {} is used twice", c.name)));
        }
        let used = [
            ("environmentFiles", !c.environment_files.is_empty()),
            ("secrets", !c.secrets.is_empty()),
            ("repositoryCredentials", c.registry_authentication.as_ref().is_some_and(|r| r.r#type == "asm")),
            ("firelensConfiguration", c.firelens_configuration.is_some()),
            ("credentialSpecs", !c.credential_specs.is_empty()),
        ];
        if let Some((field, _)) = used.iter().find(|(_, used)| *used) {
            return Err(Refusal::new(unsupported(c, field)));
        }
        if let Err(e) = c.overrides() {
            return Err(Refusal::new(format!("overrides of container {} cannot be read: {e}", c.name)));
        }
        for d in &c.depends_on {
            if condition(&d.condition).is_none() {
                return Err(Refusal::new(unsupported(c, &format!("dependsOn condition {}", d.condition))));
            }
            let Some(on) = task.containers.iter().find(|other| other.name == d.container_name) else {
                return Err(Refusal::new(format!(
                    "container {} depends on {}, which is not in the task",
                    c.name, d.container_name
                )));
            };
            if d.condition == "HEALTHY" && health::times(on).is_none() {
                return Err(Refusal::new(format!(
                    "container {} waits for {} to be HEALTHY, which has no health check",
                    c.name, on.name
                )));
            }
        }
    }
    if has_cycle(&spec(task)) {
        return Err(Refusal::new("the task's dependsOn, links and volumesFrom form a cycle"));
    }
    Ok(())
}

fn has_cycle(spec: &TaskSpec) -> bool {
    // Containers whose dependencies are all resolved are taken off until nothing moves.
    let mut resolved = vec![false; spec.containers.len()];
    loop {
        let next = (0..resolved.len())
            .find(|&i| !resolved[i] && spec.containers[i].depends_on.iter().all(|d| resolved[d.on]));
        match next {
            Some(i) => resolved[i] = true,
            None => return resolved.contains(&false),
        }
    }
}

fn address(task: &Task) -> Result<Option<Address>, Refusal> {
    if task.network_mode.as_deref() != Some("awsvpc") {
        return Ok(None);
    }
    let bad = |why: String| Refusal::new(format!("ResourceInitializationError: network interface: {why}"));
    let eni = task.elastic_network_interfaces.first().ok_or_else(|| bad("none was given".into()))?;
    let ip = eni.primary_ipv4().ok_or_else(|| bad("it has no IPv4 address".into()))?;
    let ip = ip.parse().map_err(|_| bad(format!("{ip:?} is no IPv4 address")))?;
    let gateway = eni.subnet_gateway_ipv4_address.as_deref().unwrap_or_default();
    let parsed = gateway.split_once('/').and_then(|(g, p)| Some((g.parse().ok()?, p.parse().ok()?)));
    let (gateway, prefix) = parsed
        .ok_or_else(|| bad(format!("subnetGatewayIpv4Address {gateway:?} is not of the form a.b.c.d/n")))?;
    let mac = parse_mac(&eni.mac_address).map_err(|e| bad(e.to_string()))?;
    Ok(Some(Address { ip, prefix, gateway, mac }))
}

#[cfg(test)]
mod tests;
