//! Routes of Longshore's own that only the person who runs it may call: signed with the first key.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use wire::{Credentials, sigv4};

use crate::talk::now_ms;

const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a request asks that `user` signed.
#[allow(clippy::result_large_err, reason = "the refusal is an HTTP response, made once a request")]
pub(super) async fn asked<T: DeserializeOwned>(user: &Credentials, request: Request) -> Result<T, Response> {
    let body = by(user, request).await?;
    serde_json::from_slice(&body).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()).into_response())
}

/// The body of a request that `user` signed for the service `longshore`.
#[allow(clippy::result_large_err, reason = "the refusal is an HTTP response, made once a request")]
pub(super) async fn by(user: &Credentials, request: Request) -> Result<Bytes, Response> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()).into_response())?.to_bytes();
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request = sigv4::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    let find = |id: &str| (id == user.access_key_id).then(|| user.clone());
    match sigv4::verify(&request, now_ms(), Some("longshore"), find) {
        Ok(_) => Ok(body),
        Err(refusal) => Err((StatusCode::FORBIDDEN, refusal.to_string()).into_response()),
    }
}
