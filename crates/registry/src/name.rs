//! Repository names, tags and references, by the grammar of the OCI distribution spec ("Pulling manifests").

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// ECR's limit for a repository name (API reference, `CreateRepository`); the OCI spec names none.
const NAME_MAX: usize = 256;
const TAG_MAX: usize = 128;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidName {
    #[error("invalid repository name '{0}'")]
    Repository(String),
    #[error("invalid tag '{0}'")]
    Tag(String),
}

/// A repository's name within its registry: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/…)*`, 1 to 256 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(String);

/// An image tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// What stands after `/manifests/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, InvalidName> {
        if s.len() <= NAME_MAX && s.split('/').all(is_path_component) {
            Ok(Self(s.to_owned()))
        } else {
            Err(InvalidName::Repository(clip(s)))
        }
    }
}

impl FromStr for Tag {
    type Err = InvalidName;

    fn from_str(s: &str) -> Result<Self, InvalidName> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let mut bytes = s.bytes();
        let ok = s.len() <= TAG_MAX
            && bytes.next().is_some_and(word)
            && bytes.all(|b| word(b) || b == b'.' || b == b'-');
        ok.then(|| Self(s.to_owned())).ok_or_else(|| InvalidName::Tag(clip(s)))
    }
}

/// One component: runs of `[a-z0-9]`, joined by one of `.`, `_`, `__` or any number of `-`.
fn is_path_component(s: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = s.as_bytes();
    let mut at = 0;
    loop {
        let run = bytes[at..].iter().take_while(|b| alnum(**b)).count();
        if run == 0 {
            return false;
        }
        at += run;
        let separator = bytes[at..].iter().take_while(|b| !alnum(**b)).count();
        match &bytes[at..at + separator] {
            [] => return true,
            b"." | b"_" | b"__" => {}
            dashes if dashes.iter().all(|b| *b == b'-') => {}
            _ => return false,
        }
        at += separator;
    }
}

/// A stranger's text as a part of one line of an error: cut, and without control characters.
pub(crate) fn clip(s: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    s.chars().take(NAME_MAX).map(shown).collect()
}

macro_rules! text {
    ($t:ty) => {
        impl $t {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $t {
            type Error = InvalidName;
            fn try_from(s: String) -> Result<Self, InvalidName> {
                s.parse()
            }
        }
        impl From<$t> for String {
            fn from(t: $t) -> String {
                t.0
            }
        }
    };
}
text!(RepositoryName);
text!(Tag);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_by_the_spec() {
        for good in ["a", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "0/1/2", "library/nginx"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", ".a", "a.", "-a", "a-", "..", "a/../b",
            "a\0b", "a b", "ä", "a._b", "a%2fb", "a\\b",
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(257).parse::<RepositoryName>().is_err());
    }

    #[test]
    fn digests_are_exact() {
        let hex = "a".repeat(64);
        assert!(format!("sha256:{hex}").parse::<Digest>().is_ok());
        for bad in [
            format!("sha256:{}", "A".repeat(64)),
            format!("sha256:{}", "a".repeat(63)),
            format!("sha512:{hex}"),
            format!("md5:{}", "a".repeat(32)),
            format!("sha256:../../{}", "a".repeat(58)),
            "sha256".into(),
            ":".into(),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever is accepted is one that the spec's own expression generates, so it holds no path trick.
        #[test]
        fn generated_names_are_accepted(s in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}){0,3}") {
            prop_assert!(s.parse::<RepositoryName>().is_ok());
        }

        #[test]
        fn accepted_names_hold_no_tricks(s in "[a-z0-9._/ %A-]{0,12}") {
            if s.parse::<RepositoryName>().is_ok() {
                prop_assert!(!s.contains("..") && !s.contains("//") && !s.starts_with('/') && !s.ends_with('/'));
                prop_assert!(s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b)));
            }
        }

        #[test]
        fn tags(s in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert!(s.parse::<Tag>().is_ok());
        }

        #[test]
        fn tags_hold_no_separator(s in any::<String>()) {
            if s.parse::<Tag>().is_ok() {
                prop_assert!(!s.contains(['/', ':', '@', '\0']) && !s.starts_with('.') && s.len() <= 128);
            }
        }
    }
}
