//! A request's credentials, and what is answered to one without good ones.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};

use super::{
    access::{Access, Right},
    token::{BEARER_MS, Claims, Kind, Owner, SigningKey, TokenError, USER},
};
use crate::name::RepositoryName;

/// Who sends a request.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub owner: Owner,
    /// What a bearer token opens; `None`: whatever its owner may.
    pub access: Option<Access>,
}

impl Visitor {
    fn of(claims: Claims) -> Self {
        Self { owner: claims.owner, access: claims.access }
    }
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No credentials, or none that this registry gave: 401 with the challenges.
    Unauthorized,
    /// A bearer token that has expired: 401, so that the client gets a new one.
    BearerExpired,
    /// A bearer token that was asked for something else: 401, so that the client asks for this.
    BearerTooNarrow,
    /// A password that has expired. ECR answers 403 and says so.
    PasswordExpired,
}

/// Reads and makes the credentials of one registry. Pure.
#[derive(Clone, Debug)]
pub struct Authority {
    key: SigningKey,
}

/// A bearer token, and how long it is good for.
#[derive(Clone, Debug)]
pub struct BearerToken {
    pub token: String,
    pub lifetime_ms: u64,
}

impl Authority {
    pub fn new(key: SigningKey) -> Self {
        Self { key }
    }

    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Who sends the request.
    pub fn authenticate(&self, headers: &HeaderMap, now_ms: u64) -> Result<Visitor, Denied> {
        if let Some(token) = credentials(headers, "bearer") {
            return match self.key.verify(token, Kind::Bearer, now_ms) {
                Ok(claims) => Ok(Visitor::of(claims)),
                Err(TokenError::Expired) => Err(Denied::BearerExpired),
                Err(TokenError::Invalid) => Err(Denied::Unauthorized),
            };
        }
        self.password(headers, now_ms).map(Visitor::of)
    }

    /// For whom a download ticket was made, which opens this path alone.
    pub fn admit(&self, ticket: &str, path: &str, now_ms: u64) -> Result<Visitor, Denied> {
        match self.key.verify(ticket, Kind::Download, now_ms) {
            Ok(claims) if claims.path.as_deref() == Some(path) => Ok(Visitor::of(claims)),
            _ => Err(Denied::Unauthorized),
        }
    }

    /// Whose password a request brings to be given a token for, and when it ends.
    pub fn customer(&self, headers: &HeaderMap, now_ms: u64) -> Result<(Owner, u64), Denied> {
        self.password(headers, now_ms).map(|claims| (claims.owner, claims.expires_ms))
    }

    /// A bearer token for a customer, which opens what it was asked for, if it was for anything.
    pub fn exchange(
        &self,
        owner: Owner,
        access: Option<Access>,
        now_ms: u64,
        expires_ms: u64,
    ) -> BearerToken {
        let expires_ms = expires_ms.min(now_ms + BEARER_MS);
        BearerToken {
            token: self.key.issue_bearer(owner, access, now_ms, expires_ms),
            lifetime_ms: expires_ms.saturating_sub(now_ms),
        }
    }

    fn password(&self, headers: &HeaderMap, now_ms: u64) -> Result<Claims, Denied> {
        let basic = credentials(headers, "basic").ok_or(Denied::Unauthorized)?;
        let decoded = STANDARD.decode(basic).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = text.as_deref().and_then(|t| t.split_once(':')).ok_or(Denied::Unauthorized)?;
        if user != USER {
            return Err(Denied::Unauthorized);
        }
        match self.key.verify(password, Kind::Password, now_ms) {
            Ok(claims) => Ok(claims),
            Err(TokenError::Expired) => Err(Denied::PasswordExpired),
            Err(TokenError::Invalid) => Err(Denied::Unauthorized),
        }
    }
}

/// The `Authorization` header's credentials of a scheme (case-insensitive, RFC 9110 §11.4).
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (found, rest) = value.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The challenges of a 401. Basic comes first: it is what ECR offers; clients that like bearer tokens
/// better find the token endpoint in the second, and what to ask it for. `base` is the registry's address as the
/// client sees it.
pub fn challenges(base: &str, denied: Denied, wanted: Option<(&RepositoryName, Right)>) -> [HeaderValue; 2] {
    let error = match denied {
        Denied::BearerExpired => ",error=\"invalid_token\"",
        Denied::BearerTooNarrow => ",error=\"insufficient_scope\"",
        Denied::Unauthorized | Denied::PasswordExpired => "",
    };
    let scope = wanted
        .map(|(name, right)| format!(",scope=\"repository:{name}:{}\"", right.asked()))
        .unwrap_or_default();
    let value = |text: String| {
        // `base` holds only characters of an authority.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Basic"))
    };
    [
        value(format!("Basic realm=\"{base}/\",service=\"ecr.amazonaws.com\"")),
        value(format!("Bearer realm=\"{base}/v2/token\",service=\"ecr.amazonaws.com\"{scope}{error}")),
    ]
}
