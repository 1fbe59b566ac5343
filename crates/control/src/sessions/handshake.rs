//! Who opens a websocket: the signature, and the instance that it claims to be.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{ContainerInstance, Home, InstanceStatus};
use wire::acs::Refusal;

use crate::app::App;
use crate::front::{authenticate, authorize};

const BUFFER: usize = 4 * 1024;

/// The container instance that an agent's session is for. `action`: what IAM calls opening it.
#[allow(clippy::result_large_err, reason = "the refusal is an HTTP response, made once a handshake")]
pub(crate) fn instance(
    app: &App,
    parts: &Parts,
    action: &str,
    arn: &str,
) -> Result<Arc<ContainerInstance>, Response> {
    let caller = authenticate::caller(app, parts, b"", Some(wire::ecs::SERVICE.signing_name))
        .map_err(|e| refuse(&Refusal { error: "AccessDeniedException".into(), message: e.to_string() }))?;
    authorize::plain(app, &caller, parts, action, arn)
        .map_err(|e| refuse(&Refusal { error: e.code, message: e.message }))?;
    let denied = |message: &str| {
        refuse(&Refusal { error: "InvalidInstanceException".into(), message: message.to_owned() })
    };
    let id = arn.rsplit('/').next().unwrap_or_default();
    let id = id.parse().map_err(|_| denied("The container instance's ARN is malformed."))?;
    let world = app.world();
    let instance = world.instance(id).ok_or_else(|| denied("There is no such container instance."))?;
    let allowed = match &instance.home {
        Home::Pool => caller.key.is_agent(),
        Home::Cluster(cluster) => *cluster.scope.account.as_str() == caller.key.principal.account,
    };
    if !allowed {
        return Err(denied("The container instance belongs to another."));
    }
    if instance.status == InstanceStatus::Inactive {
        return Err(refuse(&Refusal::inactive_instance("The container instance was deregistered.")));
    }
    Ok(instance.clone())
}

/// A websocket that keeps little memory while nothing is said, since every instance has two: the library's own buffers
/// would be 2.6 GB for 10,000 instances. What is large is read and written in several pieces.
pub(super) async fn upgrade(
    parts: &mut Parts,
    largest: usize,
) -> Result<WebSocketUpgrade, WebSocketUpgradeRejection> {
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await?;
    Ok(upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(largest)
        .max_frame_size(largest))
}

pub(super) fn refuse(refusal: &Refusal) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, headers, refusal.encode()).into_response()
}
