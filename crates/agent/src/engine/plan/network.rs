//! What a payload says of a task's and a container's network.

use std::net::Ipv4Addr;

use wire::acs::container::PortMapping;
use wire::acs::docker::HostConfig;
use wire::acs::{Container, Task};

use super::{Link, Refusal};
use crate::network::files::HostLine;
use crate::network::{NetworkMode, PortWish};
use crate::task::{Ports, Protocol};

#[derive(Debug, Default)]
pub(super) struct ContainerNetwork {
    pub ports: Vec<PortWish>,
    pub links: Vec<Link>,
    pub extra_hosts: Vec<HostLine>,
    pub dns: Vec<Ipv4Addr>,
}

/// The task's mode. One on Fargate has nothing of the machine's.
pub(super) fn mode(task: &Task) -> Result<NetworkMode, Refusal> {
    let mode = read_mode(task)?;
    let on_instance = matches!(task.launch_type.as_deref(), Some("EC2" | "EXTERNAL"));
    if mode != NetworkMode::Awsvpc && !on_instance {
        return Err(Refusal::new(format!("networkMode {mode} needs a container instance")));
    }
    Ok(mode)
}

fn read_mode(task: &Task) -> Result<NetworkMode, Refusal> {
    let mode = task.network_mode.as_deref().unwrap_or_default();
    mode.parse().map_err(|error: crate::network::NetworkError| Refusal::new(error.to_string()))
}

pub(super) fn of(task: &Task, c: &Container, host: &HostConfig) -> Result<ContainerNetwork, Refusal> {
    let refuse = |why: String| Refusal::new(format!("container {}: {why}", c.name));
    let on_bridge = read_mode(task)? == NetworkMode::Bridge;
    let mut network = ContainerNetwork::default();
    // With an address of its own, or in the machine's stack, a container has its ports as they are.
    for port in c.port_mappings.iter().filter(|_| on_bridge) {
        let wish = wish(port).ok_or_else(|| refuse(format!("{port:?} can't be mapped")))?;
        network.ports.push(wish);
    }
    for link in &c.links {
        let (name, alias) = linked(link);
        let to = task.containers.iter().position(|other| other.name == name);
        let to = to.filter(|_| on_bridge);
        let to = to.ok_or_else(|| refuse(format!("it can't be linked to {name}")))?;
        network.links.push(Link { to, alias: alias.to_owned() });
    }
    for entry in host.extra_hosts.iter().flatten() {
        let line = entry.split_once(':').and_then(|(name, ip)| Some((name.to_owned(), ip.parse().ok()?)));
        network.extra_hosts.push(line.ok_or_else(|| refuse(format!("{entry:?} is no extra host")))?);
    }
    for server in host.dns.iter().flatten() {
        let server =
            server.parse().map_err(|_| refuse(format!("DNS server {server:?} is no IPv4 address")))?;
        network.dns.push(server);
    }
    Ok(network)
}

/// The container that a link names, and the name it is called by.
pub(super) fn linked(link: &str) -> (&str, &str) {
    link.split_once(':').unwrap_or((link, link))
}

fn wish(port: &PortMapping) -> Option<PortWish> {
    let protocol: Protocol = port.protocol.as_deref().unwrap_or("tcp").parse().ok()?;
    if let Some(range) = &port.container_port_range {
        let container: Ports = range.parse().ok()?;
        return Some(PortWish { protocol, container, host: None, is_range: true });
    }
    let container = Ports::one(port.container_port.filter(|port| *port != 0)?);
    let host = port.host_port.filter(|port| *port != 0);
    Some(PortWish { protocol, container, host, is_range: false })
}
