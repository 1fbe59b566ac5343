//! What a container can't have where the network isn't its own (ECS developer guide, "Task definition
//! parameters", Network settings).

use model::NetworkMode;
use wire::Error;
use wire::ecs::ContainerDefinition;

use super::proposed::Proposed;
use super::refusal::{own, said};

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    proposed.containers.iter().try_for_each(|container| check_one(proposed.network_mode, container))
}

fn check_one(mode: NetworkMode, container: &ContainerDefinition) -> Result<(), Error> {
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    // Links are names on a bridge that the containers share.
    if given(&container.links) && mode != NetworkMode::Bridge {
        return Err(said(format!("Links are not supported when networkMode={mode}.")));
    }
    if mode == NetworkMode::None && container.port_mappings.as_ref().is_some_and(|ports| !ports.is_empty()) {
        return Err(own("Port mappings are not supported when networkMode=none."));
    }
    if mode != NetworkMode::Awsvpc {
        return Ok(());
    }
    // All containers of the task share one name, one resolver and one hosts file.
    let refused = [
        (container.hostname.is_some(), "hostname is"),
        (given(&container.dns_servers), "DNS servers are"),
        (given(&container.dns_search_domains), "DNS search domains are"),
        (container.extra_hosts.as_ref().is_some_and(|hosts| !hosts.is_empty()), "Extra hosts are"),
        (container.disable_networking == Some(true), "Disable Networking is"),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, what)) => Err(said(format!("{what} not supported on container when networkMode=awsvpc."))),
        None => Ok(()),
    }
}
