//! What decisions need to know of a definition: the model's typed fields.

use model::{ContainerShape, HostPort, NetworkMode, RuntimePlatform, Transport};
use wire::ecs::{self, ContainerDefinition, PortMapping, TransportProtocol};

use super::ports;
use super::proposed::{Proposed, name};

pub(super) fn platform(document: &ecs::TaskDefinition) -> RuntimePlatform {
    let platform = document.runtime_platform.as_ref();
    RuntimePlatform {
        os_family: platform.and_then(|p| p.operating_system_family).map(|family| family.as_str().into()),
        cpu_architecture: platform.and_then(|p| p.cpu_architecture).map(|cpu| cpu.as_str().into()),
    }
}

/// Numbers are within range: the rules have looked at them.
pub(super) fn container(proposed: &Proposed<'_>, container: &ContainerDefinition) -> ContainerShape {
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    let mode = proposed.network_mode;
    ContainerShape {
        name: name(container).into(),
        image: container.image.as_deref().unwrap_or_default().into(),
        essential: container.essential.unwrap_or(true),
        cpu: number(container.cpu).unwrap_or(0),
        memory_mib: number(container.memory),
        memory_reservation_mib: number(container.memory_reservation),
        host_ports: container
            .port_mappings
            .iter()
            .flatten()
            .flat_map(|port| host_ports(mode, port))
            .collect(),
        start_timeout_s: number(container.start_timeout),
        stop_timeout_s: number(container.stop_timeout),
        health_checked: is_health_checked(container),
    }
}

pub(super) fn is_health_checked(container: &ContainerDefinition) -> bool {
    let check = container.health_check.as_ref();
    // Docker's word for switching off a check that the image brings.
    check.is_some_and(|check| check.command.first().is_none_or(|first| first != "NONE"))
}

/// The ports that the task takes on its instance. None with an address of its own; on a bridge those
/// that were named; with the host's stack all.
fn host_ports(mode: NetworkMode, port: &PortMapping) -> Vec<HostPort> {
    let transport = match port.protocol {
        Some(TransportProtocol::Udp) => Transport::Udp,
        _ => Transport::Tcp,
    };
    let ports: Vec<u16> = match (mode, &port.container_port_range) {
        (NetworkMode::Awsvpc | NetworkMode::None, _) | (NetworkMode::Bridge, Some(_)) => Vec::new(),
        (NetworkMode::Host, Some(text)) => ports::range(text).into_iter().flatten().collect(),
        (_, None) => port.host_port.and_then(|port| u16::try_from(port).ok()).into_iter().collect(),
    };
    ports.into_iter().filter(|port| *port != 0).map(|port| HostPort { port, transport }).collect()
}
