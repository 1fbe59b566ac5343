//! The temporary keys of tasks: what an agent is told of a task's roles, and who signs with them.
//!
//! Nothing is kept: a key's id says which task's it is and until when, and its secret follows from the id and a secret of
//! the server's. So keys outlive a restart, and one that was never given can't be used. It opens what the role's
//! policy allows, as long as the task lives.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use iam::{Kind, Policy, PolicyKind, Principal};
use model::{Task, TaskId, World};
use sha2::Sha256;
use wire::acs::{IamRoleCredentials, RoleType};
use wire::{Credentials, Timestamp, ecs};

use crate::keyring::{KeyRecord, RolePolicies};

/// As long as ECS's are good.
pub(crate) const LIFETIME_MS: u64 = 6 * 60 * 60 * 1000;
/// Temporary keys begin so (IAM user guide, "Understanding unique ID prefixes").
const PREFIX: &str = "ASIA";

/// Makes and recognizes the keys of tasks.
#[derive(Clone)]
pub struct TaskKeys {
    secret: [u8; 32],
    roles: Arc<dyn RolePolicies>,
}

impl std::fmt::Debug for TaskKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskKeys").finish_non_exhaustive()
    }
}

/// What a key's id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    role: RoleType,
    task: TaskId,
    /// Seconds since the epoch.
    expires: u32,
}

impl Claim {
    fn id(self) -> String {
        let role = match self.role {
            RoleType::TaskApplication => 0,
            RoleType::TaskExecution => 1,
        };
        format!("{PREFIX}{role:02X}{:032X}{:08X}", self.task.0, self.expires)
    }

    /// Only of an id as [`Claim::id`] writes it.
    fn read(id: &str) -> Option<Self> {
        let digits = id.strip_prefix(PREFIX).filter(|digits| digits.len() == 42)?;
        let role = match digits.get(..2)? {
            "00" => RoleType::TaskApplication,
            "01" => RoleType::TaskExecution,
            _ => return None,
        };
        let task = TaskId(u128::from_str_radix(digits.get(2..34)?, 16).ok()?);
        let expires = u32::from_str_radix(digits.get(34..)?, 16).ok()?;
        Some(Self { role, task, expires }).filter(|claim| claim.id() == id)
    }
}

impl TaskKeys {
    /// `seed`: a lasting secret of the server's.
    pub fn new(seed: &[u8], roles: Arc<dyn RolePolicies>) -> Self {
        Self { secret: mac(seed, &["longshore task keys"]), roles }
    }

    /// Fresh credentials of a task's role, under the id that the role's have as long as the task lives.
    pub(crate) fn issue(&self, task: TaskId, role: RoleType, arn: &str, now_ms: u64) -> IamRoleCredentials {
        let expires = u32::try_from((now_ms + LIFETIME_MS) / 1000).unwrap_or(u32::MAX);
        let key = self.credentials(Claim { role, task, expires });
        let name = mac(&self.secret, &["id", &Claim { role, task, expires: 0 }.id()]);
        let id = uuid::Builder::from_random_bytes(name[..16].try_into().unwrap_or_default()).into_uuid();
        IamRoleCredentials {
            credentials_id: id.to_string(),
            role_arn: arn.to_owned(),
            access_key_id: key.access_key_id,
            secret_access_key: key.secret_access_key,
            session_token: key.session_token.unwrap_or_default(),
            expiration: Timestamp::from_ms(u64::from(expires) * 1000).to_iso8601().unwrap_or_default(),
        }
    }

    /// Whose key it is, if the task lives and has that role.
    pub(crate) fn find(&self, world: &World, id: &str) -> Option<KeyRecord> {
        let claim = Claim::read(id)?;
        let task = world.task(claim.task).filter(|task| task.is_live())?;
        let roles = Roles::of(world, task)?;
        let arn = roles.of_type(claim.role)?;
        let account = task.cluster.scope.account.as_str();
        let (owner, name) = named(arn);
        // Another account's role is nobody's here.
        let own = owner.is_none_or(|owner| owner == account);
        let policy = own.then(|| self.roles.find(account, name)).flatten();
        let policy = policy.or_else(|| (claim.role == RoleType::TaskExecution).then(usual).flatten());
        let kind = Kind::Role { name: name.to_owned(), session: task.id.to_string(), policy };
        Some(KeyRecord {
            credentials: self.credentials(claim),
            principal: Principal { account: account.to_owned(), kind },
            expires_at_ms: Some(u64::from(claim.expires) * 1000),
        })
    }

    fn credentials(&self, claim: Claim) -> Credentials {
        let access_key_id = claim.id();
        let secret = mac(&self.secret, &["secret", &access_key_id]);
        let token = mac(&self.secret, &["token", &access_key_id]);
        Credentials {
            secret_access_key: hex::encode(&secret[..20]),
            session_token: Some(hex::encode(token)),
            access_key_id,
        }
    }
}

/// What an execution role may do that nobody has defined: what it may on AWS, as a rule.
fn usual() -> Option<Arc<Policy>> {
    let text = iam::managed(iam::TASK_EXECUTION)?;
    Policy::parse(&text, PolicyKind::Identity).ok().map(Into::into)
}

/// Account and name of a role. A task definition may name it by the name alone.
fn named(arn: &str) -> (Option<&str>, &str) {
    let account = arn.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3));
    (account, arn.rsplit(['/', ':']).next().unwrap_or(arn))
}

fn mac(key: &[u8], parts: &[&str]) -> [u8; 32] {
    // Any length is a key's.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

/// The roles of a task: its definition's, or those that RunTask named in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub task: Option<String>,
    pub execution: Option<String>,
}

impl Roles {
    pub fn new(definition: &ecs::TaskDefinition, overrides: &ecs::TaskOverride) -> Self {
        let chosen = |own: &Option<String>, usual: &Option<String>| {
            own.as_ref().or(usual.as_ref()).filter(|arn| !arn.is_empty()).cloned()
        };
        Self {
            task: chosen(&overrides.task_role_arn, &definition.task_role_arn),
            execution: chosen(&overrides.execution_role_arn, &definition.execution_role_arn),
        }
    }

    fn of(world: &World, task: &Task) -> Option<Self> {
        let definition = world.definition(&task.definition_key())?;
        let document = definition.document.shared::<ecs::TaskDefinition>().ok()?;
        let overrides = task.overrides.as_ref().map(|overrides| overrides.to()).transpose().ok()?;
        Some(Self::new(&document, &overrides.unwrap_or_default()))
    }

    pub fn of_type(&self, role: RoleType) -> Option<&str> {
        match role {
            RoleType::TaskApplication => self.task.as_deref(),
            RoleType::TaskExecution => self.execution.as_deref(),
        }
    }
}

#[cfg(test)]
#[path = "task_keys_tests.rs"]
mod tests;
