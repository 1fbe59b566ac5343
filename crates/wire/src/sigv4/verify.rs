//! Whether a request was signed by the holder of an access key's secret.

use subtle::ConstantTimeEq;

use super::canonical::{self, sha256_hex};
use super::claim::Claim;
use super::refusal::Refusal;
use super::{Request, stamp};
use crate::context::Credentials;

/// How far a signature's time may lie from ours: 15 minutes.
pub const MAX_SKEW_MS: u64 = 15 * 60 * 1000;

/// Stands for the body's hash where a client signs without it.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// An authentic request's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub access_key_id: String,
    pub region: String,
    /// The service's signing name: `ecs`.
    pub service: String,
    /// Milliseconds since the epoch, to the second.
    pub signed_at_ms: u64,
}

/// Verifies a request in header or query form.
///
/// `service`: the signing name of the service that the request is for (see `protocol::route`);
/// `None` takes any. `lookup`: from an access key id to its secrets. Nothing is done with the
/// request's content before this answers.
pub fn verify(
    request: &Request<'_>,
    now_ms: u64,
    service: Option<&str>,
    lookup: impl FnOnce(&str) -> Option<Credentials>,
) -> Result<Verified, Refusal> {
    let claim = Claim::read(request)?;
    let credentials = lookup(&claim.access_key_id).ok_or(Refusal::UnknownToken)?;
    check_token(&claim, &credentials)?;
    check_scope(&claim, service)?;
    check_time(&claim, now_ms)?;
    check_signed(request, &claim)?;

    let payload_hash = payload_hash(request)?;
    let names: Vec<&str> = claim.signed_headers.iter().map(String::as_str).collect();
    let query = canonical::query(request.query);
    let canonical = canonical::request(request, &query, &names, &payload_hash);
    let secret = &credentials.secret_access_key;
    let expected = canonical::signature(secret, &claim.stamp, &claim.scope, &canonical);
    let expected = hex::encode(expected);
    if !bool::from(expected.as_bytes().ct_eq(claim.signature.as_bytes())) {
        return Err(Refusal::Mismatch);
    }
    Ok(Verified {
        access_key_id: claim.access_key_id,
        region: claim.scope.region,
        service: claim.scope.service,
        signed_at_ms: claim.signed_at_ms,
    })
}

/// Whether it is worth reading the body of a request: it claims a key that there is and a time that is
/// now. Only the signature, which covers the body, is left to be wrong. `request.body` is not looked at.
pub fn plausible(
    request: &Request<'_>,
    now_ms: u64,
    lookup: impl FnOnce(&str) -> Option<Credentials>,
) -> Result<(), Refusal> {
    let claim = Claim::read(request)?;
    let credentials = lookup(&claim.access_key_id).ok_or(Refusal::UnknownToken)?;
    check_token(&claim, &credentials)?;
    check_time(&claim, now_ms)
}

/// A temporary key needs its token, a permanent one has none.
fn check_token(claim: &Claim, credentials: &Credentials) -> Result<(), Refusal> {
    let same = match (&credentials.session_token, &claim.session_token) {
        (Some(ours), Some(theirs)) => bool::from(ours.as_bytes().ct_eq(theirs.as_bytes())),
        (None, None) => true,
        _ => false,
    };
    if same { Ok(()) } else { Err(Refusal::UnknownToken) }
}

fn check_scope(claim: &Claim, service: Option<&str>) -> Result<(), Refusal> {
    if let Some(service) = service.filter(|service| *service != claim.scope.service) {
        return Err(Refusal::Scope(format!("Credential should be scoped to correct service: '{service}'. ")));
    }
    let date = &claim.stamp[..8];
    if date != claim.scope.date {
        return Err(Refusal::Scope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{date}', from '{}'.",
            claim.scope.date, claim.stamp
        )));
    }
    Ok(())
}

fn check_time(claim: &Claim, now_ms: u64) -> Result<(), Refusal> {
    let text = |ms: u64| stamp::format(ms).unwrap_or_else(|| ms.to_string());
    let latest = now_ms.saturating_add(MAX_SKEW_MS);
    if claim.signed_at_ms > latest {
        return Err(Refusal::NotYetCurrent {
            signed: claim.stamp.clone(),
            latest: text(latest),
            now: text(now_ms),
        });
    }
    let allowance = claim.expires_ms.unwrap_or(MAX_SKEW_MS);
    let earliest = now_ms.saturating_sub(allowance);
    // Signatures carry whole seconds.
    if claim.signed_at_ms < earliest / 1000 * 1000 {
        return Err(Refusal::Expired {
            signed: claim.stamp.clone(),
            earliest: text(earliest),
            now: text(now_ms),
            allowance: match claim.expires_ms {
                Some(ms) => format!("{} s", ms / 1000),
                None => "15 min".to_owned(),
            },
        });
    }
    Ok(())
}

/// The header that names the operation must be under the signature. (The time is so in any case:
/// it is a part of the string to sign.)
fn check_signed(request: &Request<'_>, claim: &Claim) -> Result<(), Refusal> {
    let signed = |name: &str| claim.signed_headers.iter().any(|have| have == name);
    if request.header("x-amz-target").is_some() && !signed("x-amz-target") {
        return Err(Refusal::Scope(
            "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    Ok(())
}

/// The hash that the client signed; it is compared with the body's where the client names one.
fn payload_hash(request: &Request<'_>) -> Result<String, Refusal> {
    let mut named = request.header_values("x-amz-content-sha256");
    match (named.next(), named.next()) {
        (None, _) => Ok(sha256_hex(request.body)),
        (Some(UNSIGNED_PAYLOAD), None) => Ok(UNSIGNED_PAYLOAD.to_owned()),
        (Some(hash), None) if hash == sha256_hex(request.body) => Ok(hash.to_owned()),
        _ => Err(Refusal::Mismatch),
    }
}
