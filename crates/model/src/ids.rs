//! Identifiers as types. None is ever made here: they arrive in commands, or are derived from one
//! that did, so that the same command always has the same outcome.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// A text that isn't a value of the type it was to become.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}")]
pub struct Malformed {
    pub what: &'static str,
    pub text: String,
}

macro_rules! name_type {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self { Self(text.into()) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:?}", &*self.0) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl Borrow<str> for $name { fn borrow(&self) -> &str { &self.0 } }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { &self.0 } }
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.into()) } }
        impl From<String> for $name { fn from(text: String) -> Self { Self(text.into()) } }
    )+};
}

name_type! {
    /// A twelve-digit account.
    Account,
    Region,
    ClusterName,
    ServiceName,
    /// The family of a task definition.
    Family,
    /// `ecs-svc/<19 digits>`.
    DeploymentId,
    /// Who started a task: a user's text, or the deployment id of a service.
    StartedBy,
    /// `family:<name>`, `service:<name>` or the user's text.
    Group,
}

impl DeploymentId {
    /// The last part of its revision's ARN: the deployment's own digits, by which Terraform finds the one from the other.
    pub fn revision(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }

    /// The last part of its service deployment's ARN, which ECS writes with 21 characters; it depends on this id alone.
    pub fn service_deployment(&self) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = TaskId(0).derive(self.as_str(), 0);
        (0..21).map(|at| char::from(LETTERS[(bits >> (6 * at)) as usize & 63])).collect()
    }
}

/// The number of a task definition within its family, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One 128-bit number, written as 32 hexadecimal digits: sixteen bytes where a string would take
/// sixty-four, which a million tasks notice.
macro_rules! hex_id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:032x}", self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:032x}", self.0) }
        }
        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let digits = text.len() == 32
                    && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                let malformed = || Malformed { what: stringify!($name), text: text.to_owned() };
                if !digits { return Err(malformed()); }
                u128::from_str_radix(text, 16).map($name).map_err(|_| malformed())
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

hex_id! {
    /// A task: the last part of its ARN.
    TaskId,
    /// A container instance: the last part of its ARN.
    InstanceId,
}

impl TaskId {
    /// A number that depends on this task and on `what`/`index` alone: what identifies a part of
    /// the task (a container, its network interface) for as long as the task is known.
    pub fn derive(self, what: &str, index: usize) -> u128 {
        let mut state = (self.0 ^ (self.0 >> 64)) as u64;
        let mut absorb = |word: u64| {
            // SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable PRNGs", 2014).
            state = state.wrapping_add(word).wrapping_add(0x9E37_79B9_7F4A_7C15);
            state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            state ^= state >> 31;
            state
        };
        absorb((self.0 >> 64) as u64);
        absorb(self.0 as u64);
        what.bytes().for_each(|byte| {
            absorb(byte.into());
        });
        let high = absorb(index as u64);
        let low = absorb(high);
        (u128::from(high) << 64) | u128::from(low)
    }

    /// A derived number in the form of a version 4 UUID, as ECS writes attachment and container ids.
    pub fn derive_uuid(self, what: &str, index: usize) -> Uuid {
        let bits = self.derive(what, index);
        Uuid((bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62))
    }
}

/// A UUID in its hyphenated form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub u128);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from: u32, bits: u32| (self.0 >> from) & ((1 << bits) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed { what: "UUID", text: text.to_owned() };
        if text.len() != 36
            || !text.bytes().enumerate().all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23))
        {
            return Err(malformed());
        }
        u128::from_str_radix(&text.replace('-', ""), 16).map(Uuid).map_err(|_| malformed())
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(D::Error::custom)
    }
}
