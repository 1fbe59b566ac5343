//! How records are named in the store: `<kind>/<account>/<region>/<repository>[:tag | @digest]`.
//! The outbox's are `push/<number>`. A repository's name holds neither ':' nor '@', so a key reads back in one way only.

use std::str::FromStr;

use super::entities::{RepositoryKey, Scope};
use crate::{digest::Digest, name::Tag};

/// A store key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Repository(RepositoryKey),
    Tag(RepositoryKey, Tag),
    Manifest(RepositoryKey, Digest),
    Blob(RepositoryKey, Digest),
    /// A repository's lifecycle policy.
    Lifecycle(RepositoryKey),
    /// A repository's policy.
    Policy(RepositoryKey),
    /// A registry's policy: `registry-policy/<account>/<region>`.
    RegistryPolicy(Scope),
    /// `template/<account>/<region>/<prefix>`
    Template(Scope, String),
    /// `cache-rule/<account>/<region>/<prefix>`
    CacheRule(Scope, String),
    /// A registry's scanning configuration: `scanning/<account>/<region>`.
    Scanning(Scope),
    /// `registry/<account>/<region>`
    Registry(Scope),
    /// Of the outbox.
    Push(u64),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = |k: &RepositoryKey| format!("{}/{}/{}", k.scope.account, k.scope.region, k.name);
        match self {
            Self::Repository(r) => write!(f, "repository/{}", path(r)),
            Self::Tag(r, tag) => write!(f, "tag/{}:{tag}", path(r)),
            Self::Manifest(r, digest) => write!(f, "manifest/{}@{digest}", path(r)),
            Self::Blob(r, digest) => write!(f, "blob/{}@{digest}", path(r)),
            Self::Lifecycle(r) => write!(f, "lifecycle/{}", path(r)),
            Self::Policy(r) => write!(f, "policy/{}", path(r)),
            Self::RegistryPolicy(scope) => write!(f, "registry-policy/{}/{}", scope.account, scope.region),
            Self::Template(scope, prefix) => {
                write!(f, "template/{}/{}/{prefix}", scope.account, scope.region)
            }
            Self::CacheRule(scope, prefix) => {
                write!(f, "cache-rule/{}/{}/{prefix}", scope.account, scope.region)
            }
            Self::Scanning(scope) => write!(f, "scanning/{}/{}", scope.account, scope.region),
            Self::Registry(scope) => write!(f, "registry/{}/{}", scope.account, scope.region),
            Self::Push(number) => write!(f, "push/{number:020}"),
        }
    }
}

/// A key that this crate never wrote.
#[derive(Debug, thiserror::Error)]
#[error("the store holds a key that is none of the registry's: '{0}'")]
pub struct UnknownKey(String);

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(s: &str) -> Result<Self, UnknownKey> {
        parse(s).ok_or_else(|| UnknownKey(s.to_owned()))
    }
}

fn parse(s: &str) -> Option<Key> {
    let (kind, rest) = s.split_once('/')?;
    if kind == "push" {
        return Some(Key::Push(rest.parse().ok()?));
    }
    let (account, rest) = rest.split_once('/')?;
    let registry = || Scope { account: account.to_owned(), region: rest.to_owned() };
    match kind {
        "registry-policy" => return Some(Key::RegistryPolicy(registry())),
        "scanning" => return Some(Key::Scanning(registry())),
        "registry" => return Some(Key::Registry(registry())),
        _ => {}
    }
    let (region, rest) = rest.split_once('/')?;
    let scope = || Scope { account: account.to_owned(), region: region.to_owned() };
    match kind {
        "template" => return Some(Key::Template(scope(), rest.to_owned())),
        "cache-rule" => return Some(Key::CacheRule(scope(), rest.to_owned())),
        _ => {}
    }
    let repository = |name: &str| Some(RepositoryKey { scope: scope(), name: name.parse().ok()? });
    Some(match kind {
        "repository" => Key::Repository(repository(rest)?),
        "lifecycle" => Key::Lifecycle(repository(rest)?),
        "policy" => Key::Policy(repository(rest)?),
        "tag" => {
            let (name, tag) = rest.split_once(':')?;
            Key::Tag(repository(name)?, tag.parse().ok()?)
        }
        "manifest" => {
            let (name, digest) = rest.split_once('@')?;
            Key::Manifest(repository(name)?, digest.parse().ok()?)
        }
        "blob" => {
            let (name, digest) = rest.split_once('@')?;
            Key::Blob(repository(name)?, digest.parse().ok()?)
        }
        _ => return None,
    })
}
