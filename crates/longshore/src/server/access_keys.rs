//! All access keys of a server: the first one, the agent's, and those that people made, which come and go while it
//! runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Result;
use arc_swap::ArcSwap;
use control::App;
use control::keyring::{KeyRecord, Keyring};
use hmac::{Hmac, KeyInit, Mac};
use iam::{Kind, Policy, PolicyKind, Principal};
use registry::Principals;
use sha2::Sha256;

use crate::data_dir::{DataDir, Key, Keys, NamedKey};
use crate::site::credentials;

pub struct AccessKeys {
    dir: DataDir,
    keys: Keys,
    known: ArcSwap<Known>,
    /// Held while the file is written.
    changing: Mutex<()>,
    /// Where the keys of instances are.
    app: OnceLock<Arc<App>>,
}

// The app has the keyring: it would be told for ever.
impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("dir", &self.dir).finish_non_exhaustive()
    }
}

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
        Ok(Self {
            dir: dir.clone(),
            keys: keys.clone(),
            known,
            changing: Mutex::new(()),
            app: OnceLock::new(),
        })
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

    pub fn app(&self) -> Option<&Arc<App>> {
        self.app.get()
    }

    /// The secret of an instance's key. It follows from the root user's, so that it needs no keeping: whoever has that
    /// may do everything anyway, and it doesn't follow from this.
    pub fn secret_of_instance(&self, access_key_id: &str) -> String {
        let key = self.keys.user.secret_access_key.as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
        mac.update(b"the key of a container instance\n");
        mac.update(access_key_id.as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..20])
    }

    fn of_instance(&self, access_key_id: &str) -> Option<KeyRecord> {
        let app = self.app.get()?;
        let key = app.world().instance_key(access_key_id)?.clone();
        let key_of = Key {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: self.secret_of_instance(access_key_id),
        };
        let principal = control::bound::principal(app, &key);
        Some(KeyRecord { credentials: credentials(&key_of), principal, expires_at_ms: None })
    }

    fn record(&self, access_key_id: &str) -> Option<KeyRecord> {
        let known = self.known.load().by_id.get(access_key_id).cloned();
        known.or_else(|| self.of_instance(access_key_id))
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
pub(super) fn read(text: &str) -> Arc<Policy> {
    Arc::new(Policy::parse(text, PolicyKind::Identity).unwrap_or_else(|_| Policy::unreadable()))
}

pub(super) fn check(policy: Option<&str>) -> Result<(), Unchanged> {
    match policy {
        Some(text) => Ok(Policy::parse(text, PolicyKind::Identity).map(drop)?),
        None => Ok(()),
    }
}

/// What IAM takes for the name of a user (IAM API reference, `CreateUser`).
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
}

impl Keyring for AccessKeys {
    fn find(&self, access_key_id: &str) -> Option<KeyRecord> {
        self.record(access_key_id)
    }

    fn attach(&self, app: &Arc<App>) {
        // There is one.
        let _ = self.app.set(app.clone());
    }
}

impl Principals for AccessKeys {
    fn find(&self, access_key_id: &str, account: &str) -> Option<Principal> {
        let record = self.record(access_key_id).filter(|record| record.principal.account == account);
        record.map(|record| record.principal)
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
