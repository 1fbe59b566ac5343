use super::{Document, Tags};
use crate::{key::ClusterKey, spelling::spelled};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

spelled! {
    ClusterStatus { Active = "ACTIVE", Inactive = "INACTIVE" }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityStrategyItem {
    pub provider: Arc<str>,
    #[serde(default)]
    pub weight: u32,
    #[serde(default)]
    pub base: u32,
}

/// A deleted cluster stays as INACTIVE, describable, until it is forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub key: ClusterKey,
    pub status: ClusterStatus,
    /// `settings` as the API lists them.
    pub settings: Option<Document>,
    pub configuration: Option<Document>,
    #[serde(default)]
    pub capacity_providers: Vec<Arc<str>>,
    #[serde(default)]
    pub default_strategy: Vec<CapacityStrategyItem>,
    pub service_connect_defaults: Option<Document>,
    #[serde(default)]
    pub tags: Tags,
    pub created_at_ms: u64,
    /// When it was deleted.
    pub inactive_at_ms: Option<u64>,
}
