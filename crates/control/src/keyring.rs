//! Whose key signed a request, and what it may do.

use std::collections::BTreeMap;
use std::fmt;

use wire::Credentials;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person or a program that uses the API.
    User,
    /// An agent of the serverless pool: it alone may register an instance for FARGATE tasks.
    Agent,
}

/// A key with its owner.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub credentials: Credentials,
    /// Twelve digits.
    pub account: String,
    pub role: Role,
    /// When a temporary key ends, in milliseconds since the epoch.
    pub expires_at_ms: Option<u64>,
}

impl KeyRecord {
    /// The principal as `sts GetCallerIdentity` names it.
    pub fn arn(&self) -> String {
        match self.role {
            Role::User => format!("arn:aws:iam::{}:root", self.account),
            Role::Agent => format!("arn:aws:iam::{}:role/longshore-agent", self.account),
        }
    }
}

/// Finds keys by their ids.
pub trait Keyring: fmt::Debug + Send + Sync + 'static {
    fn find(&self, access_key_id: &str) -> Option<KeyRecord>;
}

/// Keys that are known from the start.
#[derive(Debug, Default)]
pub struct FixedKeys(BTreeMap<String, KeyRecord>);

impl FixedKeys {
    pub fn new(keys: impl IntoIterator<Item = KeyRecord>) -> Self {
        Self(keys.into_iter().map(|key| (key.credentials.access_key_id.clone(), key)).collect())
    }
}

impl Keyring for FixedKeys {
    fn find(&self, access_key_id: &str) -> Option<KeyRecord> {
        self.0.get(access_key_id).cloned()
    }
}
