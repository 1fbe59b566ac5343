//! The token endpoint (Docker's token authentication specification): a password for a bearer token.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{Method, request::Parts};
use serde_json::json;
use wire::Scheme;

use super::{
    OciError, refuse,
    target::{self, Target},
};
use crate::{
    Shared,
    auth::{access::Access, request::Denied},
};

pub(super) fn exchange(
    shared: &Shared,
    parts: &Parts,
    scheme: Scheme,
    now_ms: u64,
) -> Result<Response, OciError> {
    // The OAuth2 form is a POST. Clients that try it first go on to GET after a 405.
    if parts.method != Method::GET {
        return Err(OciError::not_allowed(Target::Token.methods()));
    }
    let refuse = |denied| refuse(shared, &parts.headers, scheme, denied, None);
    let (owner, expires_ms) = shared.authority.customer(&parts.headers, now_ms).map_err(refuse)?;
    if shared.principals.find(&owner.access_key_id, &owner.scope.account).is_none() {
        return Err(refuse(Denied::Unauthorized));
    }
    // All of it is granted: what its owner may do is decided when it is used, and a refusal then says why. Who asks
    // for nothing in particular gets what the password opens.
    let query = target::query(parts.uri.query());
    let scopes = query.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.as_str());
    let is_narrowed = target::first(&query, "scope").is_some();
    let access = is_narrowed.then(|| Access::parse(scopes));
    let bearer = shared.authority.exchange(owner, access, now_ms, expires_ms);
    let body = json!({
        "token": bearer.token,
        "access_token": bearer.token,
        "expires_in": bearer.lifetime_ms / 1000,
        "issued_at": crate::clock::rfc3339(now_ms),
    });
    Ok(Json(body).into_response())
}
