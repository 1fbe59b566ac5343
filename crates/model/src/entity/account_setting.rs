use crate::key::Scope;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whose setting it is. Settings are kept for each region (ECS API reference, PutAccountSetting).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SettingKey {
    pub scope: Scope,
    /// The ARN of a user, a role or the root user, whose settings are everybody's default.
    pub principal: Arc<str>,
    pub name: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    pub key: SettingKey,
    pub value: Arc<str>,
}
