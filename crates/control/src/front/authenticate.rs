//! From a request to who sent it. Nothing is done with its content before.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use wire::sigv4::{self, Refusal};

use crate::app::App;
use crate::keyring::KeyRecord;

/// Who signed a request, and for which region.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub key: KeyRecord,
    pub region: String,
}

/// Verifies the signature. `service`: the signing name that the credential scope must hold, if it matters.
pub(crate) fn caller(
    app: &App,
    parts: &Parts,
    body: &[u8],
    service: Option<&str>,
) -> Result<Caller, Refusal> {
    let headers: Vec<(&str, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = sigv4::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body,
    };
    let now_ms = app.now_ms();
    let live = |id: &str| {
        app.keyring.find(id).filter(|key| key.expires_at_ms.is_none_or(|expires| expires > now_ms))
    };
    let verified = sigv4::verify(&request, now_ms, service, |id| live(id).map(|key| key.credentials))?;
    let key = live(&verified.access_key_id).ok_or(Refusal::UnknownToken)?;
    Ok(Caller { key, region: verified.region })
}

/// The service in the credential scope that a request claims, unverified: it only decides which
/// protocol an error is told in.
pub(crate) fn claimed_service(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let credential = authorization.split("Credential=").nth(1)?.split([',', ' ']).next()?;
    credential.split('/').nth(3)
}
