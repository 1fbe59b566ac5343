//! Content digests as the OCI image specification writes them (`algorithm:hex`), and the two algorithms
//! that it registers.

use super::error::short;
use sha2::Digest as _;
use std::{fmt, str::FromStr};

/// A checked digest: `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.
///
/// Being checked, it is safe as a file name (see [`Digest::file_name`]).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Text that isn't a digest of a registered algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a sha256 or sha512 digest")]
pub struct DigestSyntax(pub String);

impl Digest {
    /// The sha256 of `bytes`.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes))))
    }

    /// The whole, `algorithm:hex`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `algorithm-hex`: one path component without a colon, which overlayfs reads as a separator.
    pub fn file_name(&self) -> String {
        self.0.replacen(':', "-", 1)
    }

    /// The reverse of [`Digest::file_name`]; `None` for any other name.
    pub fn from_file_name(name: &str) -> Option<Self> {
        name.replacen('-', ":", 1).parse().ok()
    }

    /// A hasher of this digest's algorithm.
    pub fn hasher(&self) -> Hasher {
        if self.0.starts_with("sha512:") {
            Hasher::Sha512(sha2::Sha512::new())
        } else {
            Hasher::Sha256(sha2::Sha256::new())
        }
    }

    /// The digest of `bytes` by this digest's own algorithm: equal to `self` when they are what it names.
    pub fn of_same_algorithm(&self, bytes: &[u8]) -> Self {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl FromStr for Digest {
    type Err = DigestSyntax;

    fn from_str(text: &str) -> Result<Self, DigestSyntax> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) if is_lower_hex(hex) => (hex.len(), 64),
            Some(("sha512", hex)) if is_lower_hex(hex) => (hex.len(), 128),
            _ => return Err(DigestSyntax(short(text, 150))),
        };
        match length {
            (found, wanted) if found == wanted => Ok(Self(text.to_owned())),
            _ => Err(DigestSyntax(short(text, 150))),
        }
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl TryFrom<String> for Digest {
    type Error = DigestSyntax;

    fn try_from(text: String) -> Result<Self, DigestSyntax> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A running hash of either algorithm.
#[derive(Clone, Debug)]
pub enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest(format!("sha256:{}", hex::encode(hasher.finalize()))),
            Self::Sha512(hasher) => Digest(format!("sha512:{}", hex::encode(hasher.finalize()))),
        }
    }
}
