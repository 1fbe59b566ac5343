//! The AWS API: any request to `/`.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Request, Response};
use tracing::Instrument;
use wire::Error;
use wire::dispatch::{Answer, Router};
use wire::eventstream::{self, Events};
use wire::protocol::{self, Misrouted, Route};

use super::{authenticate, authorize, body};
use crate::app::App;

/// Answers one API request.
pub(crate) async fn answer(app: Arc<App>, router: Router, request: Request<Body>) -> Response<Body> {
    let request_id = app.uuid().to_string();
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (body, _room) = match body::read(&app, &parts, body).await {
        Ok(read) => read,
        Err(error) => {
            let protocol = body::protocol(&parts);
            return write(protocol::respond(protocol, None, Err(error), &request_id));
        }
    };
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let claimed = authenticate::claimed_service(&parts.headers);
    let query = parts.uri.query().unwrap_or_default();
    let (response, service, operation) = match protocol::route(target, claimed, query, &body) {
        Ok(route) => {
            let (service, operation) = (route.service, route.operation);
            let span = tracing::info_span!("call", service = service.name, operation, request_id);
            let result = call(&app, &router, &parts, &body, route, &request_id).instrument(span).await;
            if let Err(error) = &result {
                tracing::debug!(service = service.name, operation, request_id, %error, "refused");
            }
            let result = match result {
                Ok(Answer::Whole(body)) => Ok(body),
                Ok(Answer::Events(events)) => {
                    app.metrics.called(service.name, operation, 200, started.elapsed());
                    return stream(events, &request_id);
                }
                Err(error) => Err(error),
            };
            let response = protocol::respond(service.protocol, Some(service), result, &request_id);
            (response, service.name, operation)
        }
        Err(misrouted) => (unknown(&app, &parts, &body, misrouted, &request_id), "none", "unknown"),
    };
    app.metrics.called(service, operation, response.status, started.elapsed());
    write(response)
}

async fn call(
    app: &App,
    router: &Router,
    parts: &Parts,
    body: &[u8],
    route: Route<'_>,
    request_id: &str,
) -> Result<Answer, Error> {
    let service = route.service;
    let caller = authenticate::caller(app, parts, body, Some(service.signing_name))
        .map_err(|refusal| refusal.to_error(service.protocol))?;
    authorize::call(app, &caller, parts, &route)?;
    let context = caller.context(parts, request_id);
    router.answer(service.name, route.operation, context, &route.input).await
}

/// What is for none of our operations. Who asks without a valid signature isn't told even that.
fn unknown(
    app: &App,
    parts: &Parts,
    body: &[u8],
    misrouted: Misrouted,
    request_id: &str,
) -> protocol::Response {
    let service = misrouted.service.and_then(|name| wire::SERVICES.iter().find(|s| s.name == name).copied());
    let error = match authenticate::caller(app, parts, body, None) {
        Ok(_) => misrouted.error,
        Err(refusal) => refusal.to_error(misrouted.protocol),
    };
    protocol::respond(misrouted.protocol, service, Err(error), request_id)
}

pub(super) fn write(response: protocol::Response) -> Response<Body> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(response.body)).expect("statuses and headers of wire::protocol are valid")
}

/// A body that is written while its messages come; dropped, and the events with it, when the client
/// leaves.
fn stream(events: Box<dyn Events>, request_id: &str) -> Response<Body> {
    let messages = futures_util::stream::unfold(events, |mut events| async move {
        let message = events.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(message)), events))
    });
    Response::builder()
        .header("content-type", eventstream::CONTENT_TYPE)
        .header("x-amzn-requestid", request_id)
        .body(Body::from_stream(messages))
        .expect("a request's id is a UUID")
}
