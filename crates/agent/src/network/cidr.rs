//! IPv4 subnets.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NetworkError;

/// An IPv4 subnet. The base has no bit set below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cidr {
    base: Ipv4Addr,
    prefix: u8,
}

impl Cidr {
    /// The subnet that holds `address`; bits below the prefix are cleared. `prefix` above 32 is
    /// taken as 32.
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { base: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// For tables: the caller writes a base without bits below the prefix.
    pub(super) const fn constant(base: Ipv4Addr, prefix: u8) -> Self {
        Self { base, prefix }
    }

    pub fn base(self) -> Ipv4Addr {
        self.base
    }

    /// Length of the prefix, 0 to 32.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    pub fn netmask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(mask(self.prefix))
    }

    /// The first address, which the bridge takes.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits().wrapping_add(1))
    }

    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits() | !mask(self.prefix))
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.base.to_bits()
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.base) || other.contains(self.base)
    }

    /// Whether a task may have `address`: inside, and neither the base, the gateway nor the broadcast.
    pub fn holds_task(self, address: Ipv4Addr) -> bool {
        self.contains(address) && ![self.base, self.gateway(), self.broadcast()].contains(&address)
    }

    /// The addresses that tasks may have, in order.
    pub fn of_tasks(self) -> impl Iterator<Item = Ipv4Addr> {
        let (first, last) = (self.gateway().to_bits(), self.broadcast().to_bits());
        (first.saturating_add(1)..last).map(Ipv4Addr::from_bits)
    }

    /// The subnets of length `prefix` inside this one, in order.
    pub fn split(self, prefix: u8) -> impl Iterator<Item = Self> {
        let prefix = prefix.clamp(self.prefix, 32);
        let count = 1u64 << (prefix - self.prefix);
        let size = 1u64 << (32 - prefix);
        let first = u64::from(self.base.to_bits());
        (0..count).map(move |n| Self::containing(Ipv4Addr::from_bits((first + n * size) as u32), prefix))
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = NetworkError;

    /// Bits below the prefix are cleared, so an address with its prefix is read as its subnet.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let bad = || NetworkError::InvalidCidr { text: text.to_owned() };
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        if prefix > 32 {
            return Err(bad());
        }
        Ok(Self::containing(address.parse().map_err(|_| bad())?, prefix))
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl TryFrom<String> for Cidr {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}
