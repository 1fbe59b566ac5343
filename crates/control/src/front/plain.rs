//! The answer to plain HTTP from another machine, in the form that its client reads.

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use wire::{Error, protocol};

use super::{api, authenticate, authorize, body};

/// Whatever is asked.
pub(super) fn router() -> axum::Router {
    axum::Router::new().fallback(refuse)
}

/// The body is not read.
async fn refuse(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let message = format!(
        "Without TLS only the machine itself is answered. Use https://{}, and trust the certificate authority that \
         `longshore ca` prints where the server runs.",
        host(&parts).unwrap_or_else(|| "HOST:PORT".to_owned())
    );
    let mut response = if parts.uri.path().starts_with("/v2") {
        let body = json!({"errors": [{"code": "DENIED", "message": message}]});
        (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
    } else {
        let protocol = body::protocol(&parts);
        let refusal = Error::new(authorize::denied(protocol), message);
        let request_id = uuid::Uuid::new_v4().to_string();
        api::write(protocol::respond(protocol, None, Err(refusal), &request_id))
    };
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

/// As the client spells it, if it is one.
fn host(parts: &Parts) -> Option<String> {
    let host: Authority = authenticate::header(parts, "host")?.parse().ok()?;
    Some(host.to_string()).filter(|host| !host.contains('@'))
}
