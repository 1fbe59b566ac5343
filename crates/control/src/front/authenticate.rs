//! From a request to who sent it. Nothing is done with its content before.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use wire::sigv4::{self, Refusal};
use wire::{Context, Scheme};

use crate::app::App;
use crate::keyring::KeyRecord;

/// Who signed a request, and for which region.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub key: KeyRecord,
    pub region: String,
}

impl Caller {
    /// What an operation is told of the call.
    pub(crate) fn context(self, parts: &Parts, request_id: &str) -> Context {
        Context {
            account: self.key.principal.account.clone(),
            region: self.region,
            access_key_id: self.key.credentials.access_key_id.clone(),
            principal_arn: self.key.principal.arn(),
            request_id: request_id.to_owned(),
            source_host: header(parts, "host").map(ToOwned::to_owned),
            scheme: scheme(parts),
            source_ip: source(parts),
            user_agent: header(parts, "user-agent").map(ToOwned::to_owned),
        }
    }
}

/// Whence a request comes.
pub(crate) fn source(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

/// How it is spoken.
pub(crate) fn scheme(parts: &Parts) -> Scheme {
    parts.extensions.get::<Scheme>().copied().unwrap_or_default()
}

pub(crate) fn header<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts.headers.get(name)?.to_str().ok()
}

/// Verifies the signature. `service`: the signing name that the credential scope must hold, if it matters.
pub(crate) fn caller(
    app: &App,
    parts: &Parts,
    body: &[u8],
    service: Option<&str>,
) -> Result<Caller, Refusal> {
    let now_ms = app.now_ms();
    let verified = signed(parts, body, |request| {
        let key = |id: &str| live(app, id, now_ms).map(|key| key.credentials);
        sigv4::verify(request, now_ms, service, key)
    })?;
    let key = live(app, &verified.access_key_id, now_ms).ok_or(Refusal::UnknownToken)?;
    Ok(Caller { key, region: verified.region })
}

/// Whether a request may be who it says, as far as its head tells.
pub(crate) fn plausible(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let now_ms = app.now_ms();
    signed(parts, b"", |request| {
        sigv4::plausible(request, now_ms, |id| live(app, id, now_ms).map(|key| key.credentials))
    })
}

fn live(app: &App, id: &str, now_ms: u64) -> Option<KeyRecord> {
    app.key(id).filter(|key| key.expires_at_ms.is_none_or(|expires| expires > now_ms))
}

/// The request as its signature means it.
fn signed<'p, T>(parts: &'p Parts, body: &[u8], ask: impl FnOnce(&sigv4::Request<'_>) -> T) -> T {
    let texts = |(name, value): (&'p HeaderName, &'p HeaderValue)| {
        (name.as_str(), String::from_utf8_lossy(value.as_bytes()))
    };
    let headers: Vec<(&str, Cow<'_, str>)> = parts.headers.iter().map(texts).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    ask(&sigv4::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    })
}

/// The service in the credential scope that a request claims, unverified: it only decides which
/// protocol an error is told in.
pub(crate) fn claimed_service(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let credential = authorization.split("Credential=").nth(1)?.split([',', ' ']).next()?;
    credential.split('/').nth(3)
}
