//! The roles of tasks, which people define while the server runs, and whose key is a task's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use arc_swap::ArcSwap;
use control::App;
use control::keyring::RolePolicies;
use iam::{Policy, Principal};
use registry::Principals;

use super::access_keys::{AccessKeys, Unchanged, check, is_name, read};
use crate::data_dir::{DataDir, Role};

#[derive(Debug)]
pub struct Roles {
    dir: DataDir,
    account: String,
    known: ArcSwap<Known>,
    /// Held while the file is written.
    changing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    roles: Vec<Role>,
    policies: BTreeMap<String, Arc<Policy>>,
}

impl Roles {
    pub fn open(dir: &DataDir, account: &str) -> Result<Self> {
        let known = ArcSwap::from_pointee(Known::new(dir.roles()?));
        Ok(Self { dir: dir.clone(), account: account.to_owned(), known, changing: Mutex::new(()) })
    }

    pub fn all(&self) -> Vec<Role> {
        self.known.load().roles.clone()
    }

    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.account)
    }

    /// Defines a role, or gives the one of that name another policy.
    pub fn put(&self, new: Role) -> Result<Role, Unchanged> {
        if !is_name(&new.name) {
            return Err(Unchanged::Name(new.name));
        }
        check(Some(&new.policy))?;
        self.change(|roles| match roles.iter_mut().find(|role| role.name == new.name) {
            Some(role) => {
                role.policy = new.policy;
                Ok(role.clone())
            }
            None => {
                roles.push(new.clone());
                roles.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(new)
            }
        })
    }

    pub fn delete(&self, name: &str) -> Result<Role, Unchanged> {
        self.change(|roles| {
            let at = roles.iter().position(|role| role.name == name);
            Ok(roles.remove(at.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?))
        })
    }

    /// Durable, and in force, when it returns. Blocks.
    fn change(
        &self,
        edit: impl FnOnce(&mut Vec<Role>) -> Result<Role, Unchanged>,
    ) -> Result<Role, Unchanged> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut roles = self.all();
        let role = edit(&mut roles)?;
        self.dir.set_roles(&roles).map_err(Unchanged::Write)?;
        self.known.store(Arc::new(Known::new(roles)));
        Ok(role)
    }
}

impl Known {
    fn new(roles: Vec<Role>) -> Self {
        let policies = roles.iter().map(|role| (role.name.clone(), read(&role.policy))).collect();
        Self { roles, policies }
    }
}

impl RolePolicies for Roles {
    fn find(&self, account: &str, name: &str) -> Option<Arc<Policy>> {
        let known = self.known.load();
        known.policies.get(name).filter(|_| account == self.account).cloned()
    }
}

/// The owners of passwords that the registry gave: people, agents, and tasks, which the control plane knows. That is
/// attached when it runs; before, there are no tasks.
#[derive(Debug)]
pub(super) struct Owners {
    keys: Arc<AccessKeys>,
    app: OnceLock<Arc<App>>,
}

impl Owners {
    pub fn new(keys: Arc<AccessKeys>) -> Self {
        Self { keys, app: OnceLock::new() }
    }

    pub fn attach(&self, app: Arc<App>) {
        // Nobody else sets it.
        let _ = self.app.set(app);
    }
}

impl Principals for Owners {
    fn find(&self, access_key_id: &str, account: &str) -> Option<Principal> {
        let of_task = || {
            let principal = self.app.get()?.key(access_key_id)?.principal;
            (principal.account == account).then_some(principal)
        };
        Principals::find(&*self.keys, access_key_id, account).or_else(of_task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Statement": {"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}}"#;

    #[test]
    fn roles_come_and_go_and_outlive_a_restart() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path()).unwrap();
        let open = || Roles::open(&dir, "000000000000").unwrap();
        let role =
            |name: &str, policy: &str| Role { name: name.into(), created_at_ms: 1, policy: policy.into() };
        let roles = open();
        roles.put(role("web", POLICY)).unwrap();
        assert!(matches!(roles.put(role("web", "{}")), Err(Unchanged::Policy(_))));
        assert!(matches!(roles.put(role("a/b", POLICY)), Err(Unchanged::Name(_))));
        let again = open();
        assert!(RolePolicies::find(&again, "000000000000", "web").is_some());
        assert!(RolePolicies::find(&again, "111111111111", "web").is_none(), "another account's");
        again.put(role("web", &POLICY.replace("ecs", "logs"))).unwrap();
        assert_eq!(again.all().len(), 1);
        again.delete("web").unwrap();
        assert!(RolePolicies::find(&again, "000000000000", "web").is_none());
        assert!(matches!(open().delete("web"), Err(Unchanged::Unknown(_))));
    }
}
