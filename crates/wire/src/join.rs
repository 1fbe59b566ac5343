//! How a machine joins: the token that a person carries to it, and what is said for it. Longshore's own: AWS has it in
//! Systems Manager.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Where a token is exchanged for a key: `POST`, unsigned.
pub const PATH: &str = "/longshore/join";
const PREFIX: &str = "longshore";

/// `longshore.ID.SECRET.CA`, one word. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Tells it from others, and opens nothing.
    pub id: String,
    pub secret: String,
    /// SHA-256 of the certificate of the authority by which the server is known, in hexadecimal digits.
    pub ca: String,
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}.{}", self.id, self.secret, self.ca)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no join token, or a part of one; `longshore token create` prints one where the server runs")]
pub struct NoToken;

impl FromStr for JoinToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let digits =
            |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_hexdigit());
        match text.trim().split('.').collect::<Vec<_>>()[..] {
            [PREFIX, id, secret, ca] if digits(id, 16) && digits(secret, 64) && digits(ca, 64) => {
                Ok(JoinToken { id: id.to_owned(), secret: secret.to_owned(), ca: ca.to_ascii_lowercase() })
            }
            _ => Err(NoToken),
        }
    }
}

impl JoinToken {
    /// What is kept of the secret.
    pub fn secret_hash(secret: &str) -> String {
        hex::encode(Sha256::digest(secret))
    }
}

/// What a machine sends. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequest {
    pub id: String,
    pub secret: String,
    /// Random, and the same until an answer is there: the answer to the same attempt is the same.
    pub attempt: String,
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Who the machine is from now on. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinAnswer {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub account: String,
    pub region: String,
    pub cluster: String,
}

impl fmt::Debug for JoinAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAnswer").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken { id: "0".repeat(16), secret: "1".repeat(64), ca: "a".repeat(64) }
    }

    #[test]
    fn a_token_is_one_word_and_reads_back() {
        let text = token().to_string();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{text}");
        assert_eq!(text.parse(), Ok(token()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token()), "as it is pasted");
    }

    #[test]
    fn a_part_of_one_is_none() {
        let text = token().to_string();
        for end in 0..text.len() {
            assert_eq!(text[..end].parse::<JoinToken>(), Err(NoToken), "{end}");
        }
        assert_eq!(format!("{text}.x").parse::<JoinToken>(), Err(NoToken));
        assert_eq!(text.replace('1', "g").parse::<JoinToken>(), Err(NoToken));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", token()).contains(&token().secret));
    }
}
