//! Port mappings (API reference, PortMapping).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use model::NetworkMode;
use wire::Error;
use wire::ecs::{ContainerDefinition, PortMapping, TransportProtocol};

use super::proposed::{Proposed, name};
use super::refusal::{invalid_setting, own, said};
use super::task::is_name;

const PORTS: RangeInclusive<i32> = 1..=65_535;
/// Of one container (API reference, PortMapping.containerPortRange).
const MOST_RANGES: usize = 100;
const NAME_LENGTH: usize = 64;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut taken = Taken::default();
    for container in proposed.containers {
        let ports = || container.port_mappings.iter().flatten();
        if ports().filter(|port| port.container_port_range.is_some()).count() > MOST_RANGES {
            return Err(own(format!(
                "Container '{}' has more than {MOST_RANGES} container port ranges.",
                name(container)
            )));
        }
        for port in ports() {
            check_one(proposed.network_mode, container, port)?;
            taken.add(proposed.network_mode, port)?;
        }
    }
    Ok(())
}

fn check_one(mode: NetworkMode, container: &ContainerDefinition, port: &PortMapping) -> Result<(), Error> {
    let name = name(container);
    if let Some(text) = &port.container_port_range {
        if port.container_port.is_some() || port.host_port.is_some() {
            return Err(said(format!(
                "Invalid port mapping for container '{name}': cannot specify both single port and port range."
            )));
        }
        if mode == NetworkMode::Host {
            return Err(said("Container port ranges are not supported when networkMode=host."));
        }
        return match range(text) {
            Some(_) => Ok(()),
            None => Err(invalid_setting("containerPortRange", name)),
        };
    }
    let container_port = port.container_port.filter(|port| PORTS.contains(port));
    let Some(container_port) = container_port else { return Err(invalid_setting("containerPort", name)) };
    let host_port = port.host_port.unwrap_or(0);
    if host_port != 0 && !PORTS.contains(&host_port) {
        return Err(invalid_setting("hostPort", name));
    }
    let shared = matches!(mode, NetworkMode::Awsvpc | NetworkMode::Host);
    if shared && host_port != container_port {
        return Err(said(format!(
            "When networkMode={mode}, the host ports and container ports in port mappings must match."
        )));
    }
    Ok(())
}

/// The ports of `low-high`, both included; `None` for any other text.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-')?;
    let (low, high): (u16, u16) = (low.parse().ok()?, high.parse().ok()?);
    (low >= 1 && low < high).then_some(low..=high)
}

/// What the task's mappings have taken so far. One task has one set of host ports, and in `awsvpc` one
/// address.
#[derive(Default)]
struct Taken {
    host: BTreeSet<(TransportProtocol, i32)>,
    ranges: Vec<(TransportProtocol, RangeInclusive<u16>)>,
    names: BTreeSet<String>,
}

impl Taken {
    fn add(&mut self, mode: NetworkMode, port: &PortMapping) -> Result<(), Error> {
        let protocol = port.protocol.unwrap_or(TransportProtocol::Tcp);
        let host_port = port.host_port.filter(|port| *port != 0);
        if let Some(host_port) = host_port
            && !self.host.insert((protocol, host_port))
        {
            return Err(multiple(protocol, host_port));
        }
        if let Some(new) = port.container_port_range.as_deref().and_then(range) {
            let overlap = |(other, known): &(TransportProtocol, RangeInclusive<u16>)| {
                *other == protocol && known.start() <= new.end() && new.start() <= known.end()
            };
            if mode != NetworkMode::Bridge && self.ranges.iter().any(overlap) {
                return Err(own(format!(
                    "The container port range {}-{} is used multiple times in task.",
                    new.start(),
                    new.end()
                )));
            }
            self.ranges.push((protocol, new));
        }
        let Some(name) = &port.name else { return Ok(()) };
        if !is_name(name) || name.len() > NAME_LENGTH || name.starts_with('-') {
            return Err(own(format!(
                "The port mapping name '{name}' must have 1 to {NAME_LENGTH} letters, digits, hyphens and underscores, \
                 and must not begin with a hyphen."
            )));
        }
        if !self.names.insert(name.clone()) {
            return Err(own(format!("The port mapping name '{name}' is already used.")));
        }
        Ok(())
    }
}

fn multiple(protocol: TransportProtocol, port: i32) -> Error {
    let protocol = protocol.as_str().to_ascii_uppercase();
    said(format!("{protocol} host port '{port}' is mapped multiple times in task."))
}
