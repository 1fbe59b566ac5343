//! Whose key signed a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use iam::{Kind, Policy, Principal};
use wire::Credentials;

use crate::app::App;

/// A key with its owner, and what that may do.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub credentials: Credentials,
    pub principal: Principal,
    /// When a temporary key ends, in milliseconds since the epoch.
    pub expires_at_ms: Option<u64>,
}

impl KeyRecord {
    /// Whether it is an agent's: that alone may register an instance for FARGATE tasks.
    pub fn is_agent(&self) -> bool {
        self.principal.kind == Kind::Agent
    }
}

/// Finds keys by their ids, as they are now.
pub trait Keyring: fmt::Debug + Send + Sync + 'static {
    fn find(&self, access_key_id: &str) -> Option<KeyRecord>;
    /// Told before anything is asked: some keys are in the state.
    fn attach(&self, _app: &Arc<App>) {}
}

/// Finds the policies of roles, as they are now.
pub trait RolePolicies: fmt::Debug + Send + Sync + 'static {
    /// Of the account's role of that name, if there is such a role.
    fn find(&self, account: &str, name: &str) -> Option<Arc<Policy>>;
}

/// There are no roles.
#[derive(Debug)]
pub struct NoRoles;

impl RolePolicies for NoRoles {
    fn find(&self, _: &str, _: &str) -> Option<Arc<Policy>> {
        None
    }
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
