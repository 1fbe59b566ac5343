//! Keys: the account and region come first in every one, so that no two tenants can meet.

use crate::ids::{Account, ClusterName, Family, Region, Revision, ServiceName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One account in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    pub account: Account,
    pub region: Region,
}

impl Scope {
    pub fn new(account: impl Into<Account>, region: impl Into<Region>) -> Self {
        Self { account: account.into(), region: region.into() }
    }

    pub fn cluster(&self, name: impl Into<ClusterName>) -> ClusterKey {
        ClusterKey { scope: self.clone(), name: name.into() }
    }

    pub fn definition(&self, family: impl Into<Family>, revision: u32) -> DefinitionKey {
        DefinitionKey { scope: self.clone(), family: family.into(), revision: Revision(revision) }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterKey {
    pub scope: Scope,
    pub name: ClusterName,
}

impl ClusterKey {
    pub fn service(&self, name: impl Into<ServiceName>) -> ServiceKey {
        ServiceKey { cluster: self.clone(), name: name.into() }
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    pub cluster: ClusterKey,
    pub name: ServiceName,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DefinitionKey {
    pub scope: Scope,
    pub family: Family,
    pub revision: Revision,
}

impl fmt::Display for DefinitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.scope, self.family, self.revision)
    }
}
