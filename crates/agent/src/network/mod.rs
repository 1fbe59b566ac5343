//! The network of a container instance: a bridge, a namespace per task, NAT outwards.
//!
//! `awsvpc` as ECS means it: every task has an interface of its own with the address the control
//! plane gave it, reachable from the host and from its siblings. Tasks of the mode `bridge` are on
//! a second bridge, [`bridged`], where each container has a namespace, an address that the agent
//! gives, and ports of the host that lead to it. All of it is done by netlink messages; no `ip`,
//! `nft` or `iptables` is executed.
//!
//! Must never: leave a thread of the async runtime in another namespace (all namespace work is
//! done by [`worker`]'s own thread), choose the address of an `awsvpc` task, or touch what does not carry
//! [`NetworkConfig::name_prefix`], but for the two accepting rules [`nft::foreign`] explains.
//!
//! Start at [`Network::open`]; then [`worker`] (what happens for one task), [`subnet`] (which
//! addresses are ours), [`nft::ruleset`] (the rules) and [`files`] (what a container reads in /etc).

pub mod files;
pub mod subnet;

mod bridged;
mod cidr;
mod error;
mod host;
mod link;
mod mode;
mod netlink;
mod netns;
mod nft;
mod open;
mod ports;
mod teardown;
mod worker;

pub use bridged::Bridged;
pub use cidr::Cidr;
pub use error::NetworkError;
pub use mode::NetworkMode;
pub use netns::Traffic;
pub use nft::Published;
pub use open::{Network, NetworkConfig};
pub use ports::{HostPorts, PortError, PortWish};
pub use subnet::choose_subnet;
pub use teardown::{Removed, teardown};

use std::net::Ipv4Addr;
use std::path::PathBuf;

/// What a task's interface is to be: the control plane's decision, sent in
/// `elasticNetworkInterfaces` of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub ip: Ipv4Addr,
    /// Length of the subnet's prefix, 1 to 30.
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub mac: [u8; 6],
}

/// What a task's port of the bridge may send as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guard {
    /// The host's end of the task's veth.
    pub port: String,
    pub mac: [u8; 6],
    pub ip: Ipv4Addr,
}

/// A task's network namespace, pinned in the file system: what the OCI runtime is told to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsHandle {
    pub path: PathBuf,
}

/// The host's end of a task's veth: the bridge's name, `v`, and as many hexadecimal digits as fit
/// into a name (IFNAMSIZ), six at most.
fn veth_name(bridge: &str, number: u32) -> String {
    let digits = veth_digits(bridge);
    format!("{bridge}v{:0digits$x}", number & ((1 << (4 * digits)) - 1))
}

fn veth_digits(bridge: &str) -> usize {
    14usize.saturating_sub(bridge.len()).min(6)
}

/// Reads a MAC address as ECS writes it (`02:fc:00:00:00:01`).
pub fn parse_mac(text: &str) -> Result<[u8; 6], NetworkError> {
    let bad = || NetworkError::InvalidMac { text: text.to_owned() };
    let mut mac = [0u8; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(bad)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    // The lowest bit of the first byte marks a group address, which no interface may carry.
    if parts.next().is_some() || mac[0] & 1 == 1 { Err(bad()) } else { Ok(mac) }
}

#[cfg(test)]
mod tests;
