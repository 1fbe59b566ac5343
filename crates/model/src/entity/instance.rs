use super::{Document, HostPort, Size, Tags};
use crate::{ids::InstanceId, key::ClusterKey, spelling::spelled};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr, sync::Arc};

spelled! {
    InstanceStatus {
        Registering = "REGISTERING", Active = "ACTIVE", Draining = "DRAINING", Inactive = "INACTIVE",
    }
}

/// Whose tasks an instance runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Home {
    /// FARGATE tasks of every account and region; no user sees the instance.
    Pool,
    /// EC2 and EXTERNAL tasks of one cluster.
    Cluster(ClusterKey),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Arc<str>>,
}

/// Most attributes that an instance may have beside ECS's own (ECS API reference, PutAttributes).
pub const CUSTOM_ATTRIBUTES_ALLOWED: usize = 10;

impl Attribute {
    /// Whether it is ECS's own or Longshore's, for agents to say and not for users.
    pub fn is_reserved(&self) -> bool {
        ["ecs.", "com.amazonaws.ecs.", "longshore."].iter().any(|prefix| self.name.starts_with(prefix))
    }
}

/// An IPv4 network that an instance's tasks get their addresses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    network: u32,
    /// At most 30, so that there is room beside the network, gateway and broadcast addresses.
    prefix: u8,
}

impl Subnet {
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    pub fn network(self) -> Ipv4Addr {
        self.network.into()
    }

    /// The instance's bridge: the first address after the network's own.
    pub fn gateway(self) -> Ipv4Addr {
        (self.network + 1).into()
    }

    /// The first and last address that a task may get.
    pub fn range(self) -> (Ipv4Addr, Ipv4Addr) {
        let broadcast = self.network | (u32::MAX >> self.prefix);
        ((self.network + 2).into(), (broadcast - 1).into())
    }

    /// How many tasks can have an address at once.
    pub fn capacity(self) -> u32 {
        let (first, last) = self.range();
        u32::from(last) - u32::from(first) + 1
    }
}

impl FromStr for Subnet {
    type Err = crate::ids::Malformed;

    /// `a.b.c.d/n` with n from 8 to 30; bits beyond the prefix are dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed =
            || crate::ids::Malformed { what: "IPv4 subnet with a prefix of 8 to 30", text: text.to_owned() };
        let (address, prefix) = text.split_once('/').ok_or_else(malformed)?;
        let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let prefix: u8 = prefix.parse().map_err(|_| malformed())?;
        if !(8..=30).contains(&prefix) {
            return Err(malformed());
        }
        Ok(Self { network: u32::from(address) & (u32::MAX << (32 - prefix)), prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

impl Serialize for Subnet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A machine with an agent. What its tasks use isn't here but in the world's
/// [`Usage`](crate::world::Usage), which follows from the tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerInstance {
    pub id: InstanceId,
    pub home: Home,
    pub status: InstanceStatus,
    pub status_reason: Option<Arc<str>>,
    /// As the agent registered them.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// Those that users put (PutAttributes), in place of the agent's of the same name. The agent
    /// doesn't know of them, so a new registration leaves them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<Attribute>,
    pub total: Size,
    /// Ports that no task can have, as the agent registered them.
    #[serde(default)]
    pub reserved_ports: Vec<HostPort>,
    /// The ids of its GPUs, as the agent registered them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Arc<str>>,
    /// Where `awsvpc` tasks get their addresses; without it the instance takes no such task.
    pub subnet: Option<Subnet>,
    /// Version of the agent and of its runtime, opaque.
    pub version_info: Option<Document>,
    #[serde(default)]
    pub agent_version: Option<Arc<str>>,
    /// Of the machine, where it is one of EC2's.
    #[serde(default)]
    pub ec2_instance_id: Option<Arc<str>>,
    pub agent_connected: bool,
    /// Since when no agent has been connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at_ms: Option<u64>,
    /// It has been away for so long that what it was to run for services is given up: until its agent is back, it is
    /// none that anything is expected of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Counts the agent's connections, this one included. With it a session's messages are
    /// numbered so that the numbers grow across restarts: see [`Self::sequence`].
    #[serde(default)]
    pub session: u64,
    pub registered_at_ms: u64,
    pub inactive_at_ms: Option<u64>,
    /// Grows with each change of the instance.
    pub version: u64,
    #[serde(default)]
    pub health: Option<Document>,
    #[serde(default)]
    pub tags: Tags,
    /// Everything else of the registration that is given back.
    pub document: Option<Document>,
}

/// The names of capacity providers that exist without being made (ECS developer guide, "Fargate capacity providers").
pub const BUILT_IN_PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

impl ContainerInstance {
    /// The agent's attribute for the capacity providers it is of, by blanks apart.
    pub const CAPACITY_PROVIDERS: &'static str = "longshore.capacity-providers";

    /// For whose tasks an instance of the pool is.
    pub fn capacity_providers(&self) -> impl Iterator<Item = &str> {
        let said = self.attribute(Self::CAPACITY_PROVIDERS).and_then(|attribute| attribute.value.as_deref());
        let built_in = said.is_none().then_some(BUILT_IN_PROVIDERS).into_iter().flatten();
        said.unwrap_or_default().split_whitespace().chain(built_in)
    }

    /// The number for the `nth` message (from 0) of the present session, for `seqNum` and
    /// `timeline`: greater than any number of an earlier session (one lasts half an hour at most,
    /// too short for 2²⁴ messages).
    pub fn sequence(&self, nth: u64) -> u64 {
        (self.session << 24) + nth
    }

    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.custom.iter().chain(&self.attributes).find(|attribute| &*attribute.name == name)
    }

    /// Each once, by name.
    pub fn all_attributes(&self) -> BTreeMap<&str, &Attribute> {
        self.attributes.iter().chain(&self.custom).map(|attribute| (&*attribute.name, attribute)).collect()
    }

    /// Whether new tasks may come here.
    pub fn is_available(&self) -> bool {
        self.status == InstanceStatus::Active && self.agent_connected
    }
}
