//! A request's credentials, and what is answered to one without good ones.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};

use super::token::{BEARER_MS, Kind, SigningKey, TokenError, USER};
use crate::state::entities::Scope;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No credentials, or none that this registry gave: 401 with the challenges.
    Unauthorized,
    /// A bearer token that has expired: 401, so that the client gets a new one.
    BearerExpired,
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

    /// Whose registry the request speaks to.
    pub fn authorize(&self, headers: &HeaderMap, now_ms: u64) -> Result<Scope, Denied> {
        if let Some(token) = credentials(headers, "bearer") {
            return match self.key.verify(token, Kind::Bearer, now_ms) {
                Ok(claims) => Ok(claims.scope),
                Err(TokenError::Expired) => Err(Denied::BearerExpired),
                Err(TokenError::Invalid) => Err(Denied::Unauthorized),
            };
        }
        self.password(headers, now_ms).map(|(scope, _)| scope)
    }

    /// Whose registry a download ticket opens, for this path alone.
    pub fn admit(&self, ticket: &str, path: &str, now_ms: u64) -> Result<Scope, Denied> {
        match self.key.verify(ticket, Kind::Download, now_ms) {
            Ok(claims) if claims.path.as_deref() == Some(path) => Ok(claims.scope),
            _ => Err(Denied::Unauthorized),
        }
    }

    /// Gives a bearer token for a password.
    pub fn exchange(&self, headers: &HeaderMap, now_ms: u64) -> Result<BearerToken, Denied> {
        let (scope, expires_ms) = self.password(headers, now_ms)?;
        let expires_ms = expires_ms.min(now_ms + BEARER_MS);
        Ok(BearerToken {
            token: self.key.issue(Kind::Bearer, scope, now_ms, expires_ms),
            lifetime_ms: expires_ms - now_ms,
        })
    }

    fn password(&self, headers: &HeaderMap, now_ms: u64) -> Result<(Scope, u64), Denied> {
        let basic = credentials(headers, "basic").ok_or(Denied::Unauthorized)?;
        let decoded = STANDARD.decode(basic).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = text.as_deref().and_then(|t| t.split_once(':')).ok_or(Denied::Unauthorized)?;
        if user != USER {
            return Err(Denied::Unauthorized);
        }
        match self.key.verify(password, Kind::Password, now_ms) {
            Ok(claims) => Ok((claims.scope, claims.expires_ms)),
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
/// better find the token endpoint in the second. `base` is the registry's address as the client sees it.
pub fn challenges(base: &str, expired: bool) -> [HeaderValue; 2] {
    let error = if expired { ",error=\"invalid_token\"" } else { "" };
    let value = |text: String| {
        // `base` holds only characters of an authority.
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Basic"))
    };
    [
        value(format!("Basic realm=\"{base}/\",service=\"ecr.amazonaws.com\"")),
        value(format!("Bearer realm=\"{base}/v2/token\",service=\"ecr.amazonaws.com\"{error}")),
    ]
}
