use crate::{ids::InstanceId, key::ClusterKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What lets machines join a cluster as container instances, as often as it says and until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Tells it from others, and opens nothing.
    pub id: Arc<str>,
    pub cluster: ClusterKey,
    /// SHA-256 of the secret, which is kept nowhere.
    pub secret_hash: Arc<str>,
    pub created_at_ms: u64,
    pub expires_at_ms: u64,
    /// So many machines may still join with it.
    pub uses_left: u32,
}

/// A key of one container instance, given for a token. Its secret follows from its id and the server's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The access key's id.
    pub id: Arc<str>,
    pub cluster: ClusterKey,
    /// The instance that its owner is, once it has registered.
    pub instance: InstanceId,
    /// The token that it was given for.
    pub token: Arc<str>,
    /// What the machine calls its attempt: whoever says it again, with the answer lost, gets the same key.
    pub attempt: Arc<str>,
    pub made_at_ms: u64,
}
