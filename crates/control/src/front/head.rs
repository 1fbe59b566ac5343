//! The bound of a request's line and headers, to the byte.
//!
//! hyper bounds the buffer that it reads a head into, and lets a head pass that came whole with the last
//! read; so the rule is applied here, and hyper's bound only keeps what has no end out of the memory.

use axum::extract::Request;
use axum::http::{StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// A request's line and headers; more is answered 431.
pub(crate) const BYTES: usize = 128 * 1024;

/// Answers 431 to a head above the bound, and closes.
pub(crate) async fn bounded(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if length(&parts) <= BYTES {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let why = format!("A request's line and headers may have {BYTES} bytes at most.");
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, [(header::CONNECTION, "close")], why).into_response()
}

/// As it is written with the least of white space.
fn length(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let headers =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>() + "\r\n".len()
}
