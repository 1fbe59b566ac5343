//! All access keys of a server: the first one, the agent's, and those that people made, which come and go while it
//! runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use arc_swap::ArcSwap;
use control::keyring::{KeyRecord, Keyring};
use iam::{Kind, Policy, PolicyKind, Principal};
use registry::Principals;

use crate::data_dir::{DataDir, Key, Keys, NamedKey};
use crate::site::credentials;

#[derive(Debug)]
pub struct AccessKeys {
    dir: DataDir,
    keys: Keys,
    known: ArcSwap<Known>,
    /// Held while the file is written.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Known {
    named: Vec<NamedKey>,
    by_id: BTreeMap<String, KeyRecord>,
}

/// Why keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged {
    #[error("there is no key {0:?}")]
    Unknown(String),
    #[error("there is a key {0:?} already")]
    Exists(String),
    #[error("{0:?} is no name for a key: 1 to 64 letters, digits and characters of +=,.@_-")]
    Name(String),
    #[error("the policy can't be used: {0}")]
    Policy(#[from] iam::InvalidPolicy),
    #[error("the keys could not be written")]
    Write(#[source] anyhow::Error),
}

impl AccessKeys {
    pub fn open(dir: &DataDir, keys: &Keys) -> Result<Self> {
        let known = ArcSwap::from_pointee(Known::new(keys, dir.named_keys()?));
        Ok(Self { dir: dir.clone(), keys: keys.clone(), known, changing: Mutex::new(()) })
    }

    pub fn named(&self) -> Vec<NamedKey> {
        self.known.load().named.clone()
    }

    /// As others name the key's owner.
    pub fn arn(&self, name: &str) -> String {
        let kind = Kind::User { name: name.to_owned(), policy: None };
        Principal { account: self.keys.account.clone(), kind }.arn()
    }

    pub fn create(&self, new: NamedKey) -> Result<NamedKey, Unchanged> {
        if !is_name(&new.name) {
            return Err(Unchanged::Name(new.name));
        }
        check(new.policy.as_deref())?;
        self.change(|named| {
            // As IAM: names that differ in the case of letters alone are one.
            if named.iter().any(|key| key.name.eq_ignore_ascii_case(&new.name)) {
                return Err(Unchanged::Exists(new.name));
            }
            named.push(new.clone());
            named.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(new)
        })
    }

    pub fn set_policy(&self, name: &str, policy: Option<String>) -> Result<NamedKey, Unchanged> {
        check(policy.as_deref())?;
        self.change(|named| {
            let key = named.iter_mut().find(|key| key.name == name);
            let key = key.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?;
            key.policy = policy;
            Ok(key.clone())
        })
    }

    pub fn delete(&self, name: &str) -> Result<NamedKey, Unchanged> {
        self.change(|named| {
            let at = named.iter().position(|key| key.name == name);
            Ok(named.remove(at.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?))
        })
    }

    /// Durable, and in force, when it returns. Blocks.
    fn change(
        &self,
        edit: impl FnOnce(&mut Vec<NamedKey>) -> Result<NamedKey, Unchanged>,
    ) -> Result<NamedKey, Unchanged> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = self.named();
        let key = edit(&mut named)?;
        self.dir.set_named_keys(&named).map_err(Unchanged::Write)?;
        self.known.store(Arc::new(Known::new(&self.keys, named)));
        Ok(key)
    }
}

impl Known {
    fn new(keys: &Keys, named: Vec<NamedKey>) -> Self {
        let record = |key: &Key, kind| {
            let principal = Principal { account: keys.account.clone(), kind };
            let record = KeyRecord { credentials: credentials(key), principal, expires_at_ms: None };
            (key.access_key_id.clone(), record)
        };
        let people = named.iter().map(|named| {
            let name = named.name.clone();
            record(&named.key, Kind::User { name, policy: named.policy.as_deref().map(read) })
        });
        let of_the_house = [record(&keys.user, Kind::Root), record(&keys.agent, Kind::Agent)];
        let by_id = people.chain(of_the_house).collect();
        Self { named, by_id }
    }
}

/// A policy that another version took and this one can't read allows nothing, and denies what others allow.
fn read(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(text, PolicyKind::Identity).unwrap_or_else(|_| Policy::unreadable()))
}

fn check(policy: Option<&str>) -> Result<(), Unchanged> {
    match policy {
        Some(text) => Ok(Policy::parse(text, PolicyKind::Identity).map(drop)?),
        None => Ok(()),
    }
}

/// What IAM takes for the name of a user (IAM API reference, `CreateUser`).
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}

impl Keyring for AccessKeys {
    fn find(&self, access_key_id: &str) -> Option<KeyRecord> {
        self.known.load().by_id.get(access_key_id).cloned()
    }
}

impl Principals for AccessKeys {
    fn find(&self, access_key_id: &str, account: &str) -> Option<Principal> {
        let known = self.known.load();
        let record = known.by_id.get(access_key_id).filter(|record| record.principal.account == account);
        record.map(|record| record.principal.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}"#;

    fn key(name: &str, policy: Option<&str>) -> NamedKey {
        let key = Key { access_key_id: format!("AKIA{name}"), secret_access_key: "s".into() };
        NamedKey { name: name.into(), key, created_at_ms: 1, policy: policy.map(str::to_owned) }
    }

    fn over(dir: &DataDir) -> AccessKeys {
        let of = |id: &str| Key { access_key_id: id.into(), secret_access_key: "s".into() };
        let keys = Keys {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            user: of("root"),
            agent: of("agent"),
        };
        AccessKeys::open(dir, &keys).unwrap()
    }

    #[test]
    fn keys_come_and_go_and_outlive_a_restart() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path()).unwrap();
        let keys = over(&dir);
        keys.create(key("push", Some(POLICY))).unwrap();
        keys.create(key("bare", None)).unwrap();
        let found = Keyring::find(&keys, "AKIApush").unwrap();
        assert_eq!(found.principal.arn(), "arn:aws:iam::000000000000:user/push");
        assert!(Principals::find(&keys, "AKIApush", "111111111111").is_none());

        let again = over(&dir);
        assert_eq!(again.named().iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["bare", "push"]);
        again.set_policy("bare", Some(POLICY.into())).unwrap();
        let kind = |keys: &AccessKeys| Keyring::find(keys, "AKIAbare").unwrap().principal.kind;
        assert!(matches!(kind(&again), Kind::User { policy: Some(_), .. }));
        again.delete("bare").unwrap();
        assert!(Keyring::find(&again, "AKIAbare").is_none() && Keyring::find(&again, "root").is_some());
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.join("keys.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_changes_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path()).unwrap();
        let keys = over(&dir);
        keys.create(key("push", None)).unwrap();
        assert!(matches!(keys.create(key("PUSH", None)), Err(Unchanged::Exists(_))));
        for name in ["", "a/b", "a b", "ü", &"x".repeat(65)] {
            assert!(matches!(keys.create(key(name, None)), Err(Unchanged::Name(_))), "{name}");
        }
        assert!(matches!(keys.create(key("bad", Some("{}"))), Err(Unchanged::Policy(_))));
        assert!(matches!(keys.set_policy("push", Some("x".into())), Err(Unchanged::Policy(_))));
        assert!(matches!(keys.set_policy("none", None), Err(Unchanged::Unknown(_))));
        assert!(matches!(keys.delete("none"), Err(Unchanged::Unknown(_))));
        assert_eq!(over(&dir).named().len(), 1);
    }
}
