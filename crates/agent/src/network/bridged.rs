//! The network of tasks in the mode `bridge`: a second bridge, with addresses that the agent itself gives.
//!
//! As Docker's `docker0` it is the machine's alone. Each container has a namespace of its own there,
//! and is reached from elsewhere by ports of the machine. It is made with the first task that needs
//! it: many machines never do.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::nft::Published;
use super::ports::{HostPorts, PortError, PortWish};
use super::teardown::netns_dir;
use super::{NetnsHandle, Network, NetworkConfig, NetworkError, netns};
use crate::task::{Binding, Protocol};

/// Behind a prefix it names the second bridge, and below a directory its place.
const SUFFIX: &str = "b";

/// See the module.
#[derive(Debug)]
pub struct Bridged {
    config: NetworkConfig,
    network: OnceCell<Network>,
    ports: HostPorts,
}

impl Bridged {
    /// Beside the network of `config`.
    pub fn beside(config: &NetworkConfig) -> Self {
        Bridged {
            config: NetworkConfig {
                name_prefix: name(&config.name_prefix),
                subnet: None,
                state_dir: place(&config.state_dir),
                pool: 0,
                loopback: true,
            },
            network: OnceCell::new(),
            ports: HostPorts::of_this_machine(),
        }
    }

    /// Gives a container a namespace with an address; asked again, the one that it has.
    pub async fn attach(&self, container: &str) -> Result<(NetnsHandle, Ipv4Addr), NetworkError> {
        self.network().await?.attach_anywhere(container).await
    }

    /// Finds ports of the machine for a container. Nobody else gets them until [`Bridged::detach`].
    pub fn reserve(&self, container: &str, wishes: &[PortWish]) -> Result<Vec<Binding>, PortError> {
        self.ports.reserve(container, wishes)
    }

    /// After a restart: the ports that a container has already.
    pub fn hold(&self, container: &str, bindings: &[Binding]) {
        self.ports.hold(container, bindings);
    }

    /// Lets the ports lead to the container. Twice is no error.
    pub async fn publish(&self, address: Ipv4Addr, bindings: &[Binding]) -> Result<(), NetworkError> {
        let network = self.network().await?;
        let ports = published(address, bindings);
        if network.publish(&ports).is_ok() {
            return Ok(());
        }
        // Who holds a port is known here; where it leads otherwise, that is left of a task whose files
        // were lost.
        for port in &ports {
            let _ = network.unpublish(&[*port]);
        }
        network.publish(&ports)
    }

    /// After a restart: what an earlier agent gave a container, if it did, is as it was.
    pub async fn find(&self, container: &str, bindings: &[Binding]) -> Result<(), NetworkError> {
        if !self.has(container) {
            return Ok(());
        }
        let (_, address) = self.attach(container).await?;
        self.publish(address, bindings).await
    }

    /// Takes away what a container has of the network, if it has anything.
    pub async fn detach(&self, container: &str, bindings: &[Binding]) -> Result<(), NetworkError> {
        if self.has(container) {
            let network = self.network().await?;
            let (_, address) = network.attach_anywhere(container).await?;
            // One by one: of a task that got no further not all were open.
            for port in published(address, bindings) {
                if let Err(error) = network.unpublish(&[port]) {
                    tracing::debug!(%error, container, port.host_port, "a port was not open");
                }
            }
            network.detach(container).await?;
        }
        self.ports.release(container);
        Ok(())
    }

    /// As [`Network::reconcile`], if there is one.
    pub fn reconcile(&self) -> Result<(), NetworkError> {
        self.network.get().map_or(Ok(()), Network::reconcile)
    }

    fn has(&self, container: &str) -> bool {
        netns::is_pinned(&netns_dir(&self.config.state_dir).join(container))
    }

    async fn network(&self) -> Result<&Network, NetworkError> {
        let open = || async {
            let config = self.config.clone();
            // Opening waits for locks and for the kernel.
            let opened = tokio::task::spawn_blocking(|| Network::open(config)).await;
            opened.map_err(|_| NetworkError::WorkerGone)?
        };
        self.network.get_or_try_init(open).await
    }
}

pub(super) fn name(prefix: &str) -> String {
    format!("{prefix}{SUFFIX}")
}

pub(super) fn place(state_dir: &Path) -> PathBuf {
    state_dir.join(SUFFIX)
}

/// The packet filter's entries: one a port.
fn published(address: Ipv4Addr, bindings: &[Binding]) -> Vec<Published> {
    let all = bindings.iter().flat_map(|binding| {
        binding.host.iter().zip(binding.container.iter()).map(move |(host_port, container_port)| Published {
            protocol: match binding.protocol {
                Protocol::Tcp => libc::IPPROTO_TCP as u8,
                Protocol::Udp => libc::IPPROTO_UDP as u8,
            },
            host_port,
            address,
            container_port,
        })
    });
    all.collect()
}
