//! What can go wrong, with the step that failed.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::Cidr;

#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A system call or a netlink request failed; `step` says in words which one.
    #[error("cannot {step}")]
    Step {
        step: String,
        #[source]
        source: io::Error,
    },
    #[error("{text:?} is not an IPv4 subnet in CIDR form")]
    InvalidCidr { text: String },
    #[error("{text:?} is not the MAC address of an interface")]
    InvalidMac { text: String },
    #[error("{prefix:?} cannot name a bridge: 1 to 9 ASCII letters, digits or dashes")]
    InvalidPrefix { prefix: String },
    #[error("{id:?} cannot name a namespace: 1 to 255 letters, digits, dots, dashes or underscores")]
    InvalidTaskId { id: String },
    #[error("no free subnet for the bridge; give one that the host does not use")]
    NoFreeSubnet,
    #[error("bridge {bridge} has subnet {present}, not {wanted}; take it down first")]
    SubnetMismatch { bridge: String, present: Cidr, wanted: Cidr },
    #[error("subnet {subnet} is in use on this host by {by}")]
    SubnetTaken { subnet: Cidr, by: Cidr },
    #[error("address {ip} is not a task's address in {subnet}")]
    AddressOutsideSubnet { ip: Ipv4Addr, subnet: Cidr },
    #[error("no address is free in {subnet}")]
    NoFreeAddress { subnet: Cidr },
    #[error("task {id} already has a namespace, with {present:?} instead of {wanted}")]
    AlreadyAttached { id: String, present: Option<Ipv4Addr>, wanted: Ipv4Addr },
    #[error("task {id} has no network namespace at {path}")]
    NotAttached { id: String, path: PathBuf },
    #[error("{text:?} is not a network mode")]
    UnknownMode { text: String },
    #[error("the network thread has ended")]
    WorkerGone,
}

/// Adds the step to a bare `io::Error`.
pub(super) trait Context<T> {
    fn step(self, step: impl FnOnce() -> String) -> Result<T, NetworkError>;
}

impl<T> Context<T> for io::Result<T> {
    fn step(self, step: impl FnOnce() -> String) -> Result<T, NetworkError> {
        self.map_err(|source| NetworkError::Step { step: step(), source })
    }
}
