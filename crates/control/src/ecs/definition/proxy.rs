//! `proxyConfiguration` (API reference, ProxyConfiguration).

use model::NetworkMode;
use wire::Error;

use super::proposed::Proposed;
use super::refusal::{own, said};

/// What App Mesh's proxy must be told.
const PROPERTIES: [&str; 4] = ["AppPorts", "EgressIgnoredIPs", "ProxyEgressPort", "ProxyIngressPort"];

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let Some(proxy) = &proposed.document.proxy_configuration else { return Ok(()) };
    if proposed.network_mode != NetworkMode::Awsvpc {
        return Err(said("APPMESH proxy configuration is only supported in networkMode=awsvpc."));
    }
    if proposed.container(&proxy.container_name).is_none() {
        return Err(said(format!("Proxy container [{}] does not exist", proxy.container_name)));
    }
    let given =
        |name: &str| proxy.properties.iter().flatten().any(|property| property.name.as_deref() == Some(name));
    match PROPERTIES.iter().find(|name| !given(name)) {
        Some(missing) => Err(own(format!("The proxy configuration lacks the property {missing}."))),
        None => Ok(()),
    }
}
