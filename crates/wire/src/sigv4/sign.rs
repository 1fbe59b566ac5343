//! Signing as a client.

use super::canonical::{self, Scope, sha256_hex};
use super::{ALGORITHM, Request, stamp};
use crate::context::Credentials;
use crate::form::{encode, escape};

/// Headers that proxies and HTTP libraries add or change, so no client signs them.
const UNSIGNED: &[&str] = &[
    "authorization",
    "connection",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Who signs, for what, when.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    pub credentials: &'a Credentials,
    pub region: &'a str,
    /// The service's signing name: `ecs`.
    pub service: &'a str,
    /// Milliseconds since the epoch.
    pub now_ms: u64,
}

impl Signer<'_> {
    /// A time past the year 9999 signs as the epoch: no server takes it, and nothing panics.
    fn stamp(&self) -> String {
        stamp::format(self.now_ms).unwrap_or_else(|| "19700101T000000Z".to_owned())
    }

    fn scope(&self, stamp: &str) -> Scope {
        Scope {
            date: stamp[..8].to_owned(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
        }
    }
}

/// The headers to add: `X-Amz-Date`, `X-Amz-Security-Token` with a session token, and
/// `Authorization`. `request.headers` must hold `Host`; all of them but those that proxies change
/// are signed.
pub fn sign(request: &Request<'_>, signer: &Signer<'_>) -> Vec<(String, String)> {
    let stamp = signer.stamp();
    let scope = signer.scope(&stamp);
    let mut added = vec![("X-Amz-Date".to_owned(), stamp.clone())];
    if let Some(token) = &signer.credentials.session_token {
        added.push(("X-Amz-Security-Token".to_owned(), token.clone()));
    }
    let mut headers = request.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = Request { headers: &headers, ..*request };

    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.retain(|name| !UNSIGNED.contains(&name.as_str()));
    names.sort();
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let payload_hash = match request.header("x-amz-content-sha256") {
        Some(hash) => hash.to_owned(),
        None => sha256_hex(request.body),
    };
    let query = canonical::query(request.query);
    let canonical = canonical::request(&request, &query, &names, &payload_hash);
    let secret = &signer.credentials.secret_access_key;
    let signature = canonical::signature(secret, &stamp, &scope, &canonical);
    added.push((
        "Authorization".to_owned(),
        format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={}",
            signer.credentials.access_key_id,
            scope.text(),
            names.join(";"),
            hex::encode(signature)
        ),
    ));
    added
}

/// The query (without `?`) of a URL that is good for `expires_s` seconds, one to 604,800.
/// `request.headers` must hold `Host`, and only what the user of the URL will send too.
pub fn presign(request: &Request<'_>, signer: &Signer<'_>, expires_s: u32) -> String {
    let stamp = signer.stamp();
    let scope = signer.scope(&stamp);
    let mut names: Vec<String> = request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let credential = format!("{}/{}", signer.credentials.access_key_id, scope.text());
    let (expires, signed) = (expires_s.to_string(), names.join(";"));
    let mut pairs = vec![
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Date", &stamp),
        ("X-Amz-Expires", &expires),
        ("X-Amz-SignedHeaders", &signed),
    ];
    if let Some(token) = &signer.credentials.session_token {
        pairs.push(("X-Amz-Security-Token", token));
    }
    let mut query = encode(&pairs);
    if !request.query.is_empty() {
        query = format!("{}&{query}", request.query);
    }
    let canonical = canonical::request(request, &canonical::query(&query), &names, &sha256_hex(request.body));
    let secret = &signer.credentials.secret_access_key;
    let signature = canonical::signature(secret, &stamp, &scope, &canonical);
    format!("{query}&X-Amz-Signature={}", escape(&hex::encode(signature)))
}
