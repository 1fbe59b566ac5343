//! What isn't an API: `/healthz` and `/metrics`. Neither tells a secret, so neither asks for a key.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

pub(crate) fn routes(app: Arc<App>) -> axum::Router {
    axum::Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics)).with_state(app)
}

/// 200 once the state is loaded, which is before anybody can connect; 503, with the reason, while nothing
/// can be written.
async fn healthz(State(app): State<Arc<App>>) -> Response {
    match app.writer.trouble() {
        None => "ok\n".into_response(),
        Some(why) => {
            let text = format!("the state can't be written: {why}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.render(&app.world()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
