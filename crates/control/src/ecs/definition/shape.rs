//! What decisions need to know of a definition: the model's typed fields.

use model::{ContainerShape, HostPort, NetworkMode, RuntimePlatform, Transport};
use wire::ecs::{self, ContainerDefinition, PortMapping, TransportProtocol};

use super::gpus;
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
            .filter_map(|port| host_port(mode, port))
            .collect(),
        gpus: gpus::count(container.resource_requirements.as_deref().unwrap_or_default()),
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

/// The port that the task takes on its instance. None with an address of its own; on a bridge the one
/// that was named, if one was; with the host's stack the container's.
fn host_port(mode: NetworkMode, port: &PortMapping) -> Option<HostPort> {
    let transport = match port.protocol {
        Some(TransportProtocol::Udp) => Transport::Udp,
        _ => Transport::Tcp,
    };
    let port = match mode {
        NetworkMode::Awsvpc | NetworkMode::None => None,
        NetworkMode::Bridge | NetworkMode::Host => port.host_port,
    };
    let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.map(|port| HostPort { port, transport })
}
