//! Routes of Longshore's own, under `/longshore/`: what its commands need and no AWS operation tells
//! (decision 25). Signed like a call, for the service `longshore`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, Limited};
use model::Scope;
use tokio::sync::Semaphore;

use super::authenticate::{self, Caller};
use super::authorize;
use crate::app::App;
use crate::foresight::{self, PlanRequest};
use crate::usage::UsageRequest;

pub const USAGE_PATH: &str = "/longshore/usage";
pub const PLAN_PATH: &str = "/longshore/plan";
const SERVICE: &str = "longshore";
const MAX_BODY_BYTES: usize = 4096;
/// Plans are looked ahead one at a time: of a service of thousands that takes a processor for seconds.
static LOOKING: Semaphore = Semaphore::const_new(1);

pub(crate) fn routes(app: Arc<App>) -> axum::Router {
    axum::Router::new().route(USAGE_PATH, post(usage)).route(PLAN_PATH, post(plan)).with_state(app)
}

async fn usage(State(app): State<Arc<App>>, request: Request) -> Response {
    let (caller, parts, body) = match called(&app, request).await {
        Ok(called) => called,
        Err(refusal) => return refusal,
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

/// What an UpdateService would do (decision 38). A refusal has ECS's code and words.
async fn plan(State(app): State<Arc<App>>, request: Request) -> Response {
    let (caller, parts, body) = match called(&app, request).await {
        Ok(called) => called,
        Err(refusal) => return refusal,
    };
    let asked = match serde_json::from_slice::<PlanRequest>(&body) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    // Who may not do it isn't told either what would come of it.
    let resource = asked.resource(&caller.region, &caller.key.principal.account);
    if let Err(error) = authorize::plain(&app, &caller, &parts, "ecs:UpdateService", &resource) {
        return (StatusCode::FORBIDDEN, error.message).into_response();
    }
    let context = caller.context(&parts, "");
    let Ok(_turn) = LOOKING.acquire().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (world, now_ms, seed) = (app.world(), app.now_ms(), app.seed());
    // A service of thousands is looked ahead for longer than other calls should wait.
    let looked =
        tokio::task::spawn_blocking(move || foresight::of(&context, &world, &asked, now_ms, seed)).await;
    match looked {
        Ok(Ok(answer)) => axum::Json(answer).into_response(),
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Who calls, and the body, which is bounded; else the answer that says why not.
async fn called(app: &App, request: Request) -> Result<(Caller, Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Err((StatusCode::BAD_REQUEST, error.to_string()).into_response()),
    };
    match authenticate::caller(app, &parts, &body, Some(SERVICE)) {
        Ok(caller) => Ok((caller, parts, body)),
        Err(refusal) => Err((StatusCode::FORBIDDEN, refusal.to_string()).into_response()),
    }
}
