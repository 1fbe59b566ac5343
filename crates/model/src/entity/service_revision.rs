use super::{CapacityStrategyItem, DefinitionRef, Document, LaunchType};
use crate::{ids::DeploymentId, key::ServiceKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An image that the tasks of a revision run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionImage {
    pub container: Arc<str>,
    pub image: Arc<str>,
    /// What the image's name stood for when tasks were started. Filled in once, when the deployment is over.
    pub digest: Option<Arc<str>>,
}

/// What a deployment brings a service to. It outlives the deployment, and is never another (ECS developer guide,
/// "Amazon ECS service revisions").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRevision {
    pub service: ServiceKey,
    /// That of the service deployment that made it.
    pub number: u64,
    /// What its ARN follows from.
    pub deployment: DeploymentId,
    pub definition: DefinitionRef,
    pub launch_type: LaunchType,
    pub capacity_strategy: Vec<CapacityStrategyItem>,
    pub platform_version: Option<Arc<str>>,
    pub platform_family: Option<Arc<str>>,
    pub network: Option<Document>,
    pub images: Vec<RevisionImage>,
    pub created_at_ms: u64,
    /// Anything else of the deployment that is given back.
    pub document: Option<Document>,
}
