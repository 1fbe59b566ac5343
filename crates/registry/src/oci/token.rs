//! The token endpoint (Docker's token authentication specification): a password for a bearer token.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method};
use serde_json::json;

use super::{OciError, refuse, target::Target};
use crate::Shared;

pub(super) fn exchange(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    now_ms: u64,
) -> Result<Response, OciError> {
    // The OAuth2 form is a POST. Clients that try it first go on to GET after a 405.
    if method != Method::GET {
        return Err(OciError::not_allowed(Target::Token.methods()));
    }
    let bearer =
        shared.authority.exchange(headers, now_ms).map_err(|denied| refuse(shared, headers, denied))?;
    // Access goes by account and region, so the scope that was asked for changes nothing.
    let body = json!({
        "token": bearer.token,
        "access_token": bearer.token,
        "expires_in": bearer.lifetime_ms / 1000,
        "issued_at": crate::clock::rfc3339(now_ms),
    });
    Ok(Json(body).into_response())
}
