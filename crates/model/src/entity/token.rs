use crate::{
    ids::{DeploymentId, InstanceId, TaskId},
    key::Scope,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How long a repeated `clientToken` is recognised (ECS API reference: at most 24 hours).
pub const TOKEN_LIFETIME_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenKey {
    pub scope: Scope,
    /// The API operation, since a token is unique per operation only.
    pub operation: Arc<str>,
    pub token: Arc<str>,
}

/// What the first call with the token brought about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenResult {
    Tasks(Vec<TaskId>),
    Instance(InstanceId),
    TaskSet(DeploymentId),
    /// The resource is the one that the parameters name.
    Named,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    pub key: TokenKey,
    /// Of the parameters: a repetition with others is refused.
    pub fingerprint: Arc<str>,
    pub result: TokenResult,
    pub expires_at_ms: u64,
}
