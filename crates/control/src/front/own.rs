//! Routes of Longshore's own, under `/longshore/`: what its commands need and no AWS operation tells
//! (decision 25). Signed like a call, for the service `longshore`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, Limited};
use model::Scope;

use super::{authenticate, authorize};
use crate::app::App;
use crate::usage::UsageRequest;

pub const USAGE_PATH: &str = "/longshore/usage";
const SERVICE: &str = "longshore";
const MAX_BODY_BYTES: usize = 4096;

pub(crate) fn routes(app: Arc<App>) -> axum::Router {
    axum::Router::new().route(USAGE_PATH, post(usage)).with_state(app)
}

async fn usage(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let caller = match authenticate::caller(&app, &parts, &body, Some(SERVICE)) {
        Ok(caller) => caller,
        Err(refusal) => return (StatusCode::FORBIDDEN, refusal.to_string()).into_response(),
    };
    // It tells of tasks what DescribeTasks would, were it AWS's to tell.
    if let Err(error) = authorize::plain(&app, &caller, &parts, "ecs:DescribeTasks", "*") {
        return (StatusCode::FORBIDDEN, error.message).into_response();
    }
    let scope = Scope::new(caller.key.principal.account.as_str(), caller.region.as_str());
    match serde_json::from_slice::<UsageRequest>(&body) {
        Ok(asked) => axum::Json(app.usage.answer(&app.world(), &scope, &asked)).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
