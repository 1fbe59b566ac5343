//! The registry's tokens: `base64url(claims).base64url(HMAC-SHA-256)`. Opaque to clients. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::access::Access;
use crate::state::entities::Scope;

/// How long a password lives (ECR API reference, `GetAuthorizationToken`: 12 hours).
pub const PASSWORD_MS: u64 = 12 * 3600 * 1000;

/// How long a bearer token lives, unless the password it was got for ends before.
pub const BEARER_MS: u64 = 3600 * 1000;

/// How long a layer's download URL works (ECR's are presigned for an hour).
pub const DOWNLOAD_MS: u64 = 3600 * 1000;

/// The user name that goes with a password (ECR user guide, "Private registry authentication").
pub const USER: &str = "AWS";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Password,
    Bearer,
    /// Opens one path only.
    Download,
}

/// For whom a token is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    #[serde(flatten)]
    pub scope: Scope,
    pub access_key_id: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub kind: Kind,
    /// Which key signed it.
    pub key: String,
    #[serde(flatten)]
    pub owner: Owner,
    /// What a [`Kind::Bearer`] was asked for; absent where for nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The path that a [`Kind::Download`] opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub issued_ms: u64,
    pub expires_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("not a token of this registry")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// The key that signs. Its bytes are never shown.
#[derive(Clone)]
pub struct SigningKey {
    secret: [u8; 32],
    id: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    pub fn new(secret: [u8; 32]) -> Self {
        let id = hex::encode(&Sha256::digest(secret)[..4]);
        Self { secret, id }
    }

    /// A password, valid from `now_ms` until `expires_ms`.
    pub fn issue_password(&self, owner: Owner, now_ms: u64, expires_ms: u64) -> String {
        self.sign(&self.claims(Kind::Password, owner, now_ms, expires_ms))
    }

    /// A token that opens what was asked for, if anything was.
    pub fn issue_bearer(&self, owner: Owner, access: Option<Access>, now_ms: u64, expires_ms: u64) -> String {
        let claims = self.claims(Kind::Bearer, owner, now_ms, expires_ms);
        self.sign(&Claims { access, ..claims })
    }

    /// A token that opens one path for whoever has it, as long as its owner may.
    pub fn issue_download(&self, path: &str, owner: Owner, now_ms: u64, expires_ms: u64) -> String {
        let claims = self.claims(Kind::Download, owner, now_ms, expires_ms);
        self.sign(&Claims { path: Some(path.to_owned()), ..claims })
    }

    fn claims(&self, kind: Kind, owner: Owner, now_ms: u64, expires_ms: u64) -> Claims {
        let key = self.id.clone();
        Claims { kind, key, owner, access: None, path: None, issued_ms: now_ms, expires_ms }
    }

    fn sign(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).expect("claims are strings and numbers");
        let body = BASE64.encode(claims);
        let tag = BASE64.encode(self.mac(&body).finalize().into_bytes());
        format!("{body}.{tag}")
    }

    /// The claims of a token that this key signed and that is of this kind and not expired.
    pub fn verify(&self, token: &str, kind: Kind, now_ms: u64) -> Result<Claims, TokenError> {
        let (body, tag) = token.split_once('.').ok_or(TokenError::Invalid)?;
        let tag = BASE64.decode(tag).map_err(|_| TokenError::Invalid)?;
        // Compares in constant time.
        self.mac(body).verify_slice(&tag).map_err(|_| TokenError::Invalid)?;
        let claims: Claims = BASE64
            .decode(body)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or(TokenError::Invalid)?;
        if claims.kind != kind || claims.key != self.id {
            return Err(TokenError::Invalid);
        }
        if claims.expires_ms <= now_ms {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    fn mac(&self, body: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(body.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner() -> Owner {
        let scope = Scope { account: "000000000000".into(), region: "us-east-1".into() };
        Owner { scope, access_key_id: "AKIATEST".into() }
    }

    #[test]
    fn a_token_says_whose_and_until_when() {
        let key = SigningKey::new([7; 32]);
        let token = key.issue_password(owner(), 1000, 5000);
        let claims = key.verify(&token, Kind::Password, 4999).unwrap();
        assert_eq!(claims.owner, owner());
        assert_eq!(key.verify(&token, Kind::Password, 5000), Err(TokenError::Expired));
        assert_eq!(key.verify(&token, Kind::Bearer, 2000), Err(TokenError::Invalid));
        let other = SigningKey::new([8; 32]);
        assert_eq!(other.verify(&token, Kind::Password, 2000), Err(TokenError::Invalid));
    }

    proptest! {
        #[test]
        fn a_tampered_token_is_refused(at: prop::sample::Index, with in "[a-zA-Z0-9_.-]") {
            let key = SigningKey::new([7; 32]);
            let token = key.issue_password(owner(), 0, 10);
            let at = at.index(token.len());
            let mut tampered = token.clone();
            tampered.replace_range(at..=at, &with);
            prop_assume!(tampered != token);
            prop_assert!(key.verify(&tampered, Kind::Password, 1).is_err());
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = SigningKey::new([7; 32]).verify(&text, Kind::Bearer, 0);
        }
    }
}
