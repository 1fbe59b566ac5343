//! Where a container's network is, by its task's mode: a namespace of the task's (`awsvpc`), one of
//! the container's own (`bridge`, `none`), or the machine's (`host`).

use std::net::IpAddr;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::spec::told;
use super::{Host, HostError};
use crate::engine::plan::{ContainerWork, Work};
use crate::network::files::{self, HostLine};
use crate::network::{Address, NetworkMode};
use crate::task::Binding;

/// What a container finds.
#[derive(Debug)]
pub(super) struct Place {
    /// Absent: the machine's own.
    pub netns: Option<PathBuf>,
    pub hostname: String,
    /// The text of its /etc/hosts.
    pub hosts: String,
}

impl Host {
    /// Makes a task's namespaces, and finds ports of the machine for its containers: those of each.
    pub(super) async fn join_network(&self, work: &Work) -> Result<Vec<Vec<Binding>>, HostError> {
        if work.mode == NetworkMode::Awsvpc {
            self.config.network.attach(&work.id, address(work)?.clone()).await?;
        }
        let mut bindings = vec![];
        for (n, c) in work.containers.iter().enumerate() {
            let mut found = vec![];
            match work.mode_of(n) {
                NetworkMode::Awsvpc | NetworkMode::Host => {}
                NetworkMode::None => drop(self.config.network.isolate(&c.runtime_id).await?),
                NetworkMode::Bridge => {
                    self.config.bridged.attach(&c.runtime_id).await?;
                    found = self.config.bridged.reserve(&c.runtime_id, &c.ports).map_err(told)?;
                }
            }
            bindings.push(found);
        }
        Ok(bindings)
    }

    /// What a container finds, once its task has joined. Its ports lead to it from here on: by now they
    /// are written down.
    pub(super) async fn place(&self, work: &Work, container: usize) -> Result<Place, HostError> {
        let c = &work.containers[container];
        Ok(match work.mode_of(container) {
            NetworkMode::Awsvpc => {
                let ip = address(work)?.ip;
                let hostname = files::hostname(ip, &self.config.region);
                let hosts = files::hosts(Some(ip), &hostname, &[]);
                Place { netns: Some(self.config.network.get(&work.id)?.path), hostname, hosts }
            }
            NetworkMode::Bridge => {
                let (netns, ip) = self.config.bridged.attach(&c.runtime_id).await?;
                self.config.bridged.publish(ip, &work.bindings(container)).await?;
                let hostname = named(c).unwrap_or_else(|| short_name(c));
                let others = [self.links(work, c).await?, c.extra_hosts.clone()].concat();
                let hosts = files::hosts(Some(ip), &hostname, &others);
                Place { netns: Some(netns.path), hostname, hosts }
            }
            NetworkMode::None => {
                let netns = self.config.network.isolate(&c.runtime_id).await?;
                let hostname = named(c).unwrap_or_else(|| short_name(c));
                let hosts = files::hosts(None, &hostname, &c.extra_hosts);
                Place { netns: Some(netns.path), hostname, hosts }
            }
            NetworkMode::Host => {
                let machine = || nix::unistd::gethostname().ok()?.into_string().ok();
                let hostname = named(c).or_else(machine).unwrap_or_else(|| short_name(c));
                let present = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
                Place { netns: None, hostname, hosts: files::with_hosts(&present, &c.extra_hosts) }
            }
        })
    }

    /// The containers that it links to, by the names that Docker gives them: the alias, the host name
    /// and the container's own.
    async fn links(&self, work: &Work, c: &ContainerWork) -> Result<Vec<HostLine>, HostError> {
        let mut lines = vec![];
        for link in &c.links {
            let to = &work.containers[link.to];
            if work.mode_of(link.to) != NetworkMode::Bridge {
                return Err(HostError::Told(format!(
                    "it links to {}, which has no network",
                    to.payload.name
                )));
            }
            let (_, ip) = self.config.bridged.attach(&to.runtime_id).await?;
            let mut names = vec![
                link.alias.clone(),
                named(to).unwrap_or_else(|| short_name(to)),
                to.payload.name.clone(),
            ];
            names.dedup();
            lines.push((names.join(" "), IpAddr::V4(ip)));
        }
        Ok(lines)
    }

    /// Holds the ports of a task that was found on disk, before anybody else can be given them.
    pub fn hold_ports(&self, work: &Work) {
        for (n, c) in work.containers.iter().enumerate() {
            self.config.bridged.hold(&c.runtime_id, &work.bindings(n));
        }
    }

    /// Takes up again what a task that was found on disk has of the network.
    pub(super) async fn find_network(&self, work: &Work) {
        for (n, c) in work.containers.iter().enumerate() {
            let bindings = work.bindings(n);
            if let Err(error) = self.config.bridged.find(&c.runtime_id, &bindings).await {
                tracing::warn!(%error, task = work.id, "a container's ports may not lead to it");
            }
        }
    }

    /// Whatever the mode: of a task whose payload was lost it isn't known.
    pub(super) async fn leave_network(&self, work: &Work) {
        let ids = work.containers.iter().map(|c| &c.runtime_id);
        for id in ids.chain([&work.id]) {
            if let Err(error) = self.config.network.detach(id).await {
                tracing::warn!(%error, task = work.id, "a network namespace could not be removed");
            }
        }
        for (n, c) in work.containers.iter().enumerate() {
            if let Err(error) = self.config.bridged.detach(&c.runtime_id, &work.bindings(n)).await {
                tracing::warn!(%error, task = work.id, "a container could not be taken off the bridge");
            }
        }
    }
}

fn address(work: &Work) -> Result<&Address, HostError> {
    work.address.as_ref().ok_or_else(|| HostError::Told("the task has no network interface".into()))
}

/// The `hostname` of its definition.
fn named(c: &ContainerWork) -> Option<String> {
    c.config.hostname.clone().filter(|name| !name.is_empty())
}

/// Twelve hexadecimal digits, as Docker names containers.
fn short_name(c: &ContainerWork) -> String {
    hex::encode(&Sha256::digest(c.runtime_id.as_bytes())[..6])
}
