//! The TCS session: what an agent measures. Health goes to the model; what the tasks use is kept in memory
//! (`usage.rs`).

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use model::{Command, Document, Health, InstanceId, TaskId};
use serde_json::json;
use wire::acs::{Decoded, HeartbeatMessage, Notice};
use wire::tcs::{self, SessionQuery, ToAgent, ToServer};

use super::acs::Sessions;
use super::handshake;
use crate::app::App;

const HEARTBEAT: Duration = Duration::from_secs(30);
/// The agent's own bound on a message.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;

/// `GET /tcs/ws`
pub(crate) async fn open(State(sessions): State<Sessions>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let query = SessionQuery::parse(parts.uri.query().unwrap_or_default());
    let instance = match handshake::instance(
        &sessions.app,
        &parts,
        "ecs:StartTelemetrySession",
        &query.container_instance,
    ) {
        Ok(instance) => instance.id,
        Err(refusal) => return refusal,
    };
    match handshake::upgrade(&mut parts, MAX_MESSAGE).await {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| async move {
            converse(&sessions.app, socket, instance).await;
            sessions.app.usage.forget(instance);
        }),
        Err(refusal) => refusal.into_response(),
    }
}

async fn converse(app: &App, mut socket: WebSocket, instance: InstanceId) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        let answer = tokio::select! {
            _ = heartbeat.tick() => {
                let beat = HeartbeatMessage { message_id: None, healthy: Some(true) };
                Some(ToAgent::HeartbeatMessage(beat))
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => hear(app, instance, &text).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => None,
            },
        };
        let Some(answer) = answer else { continue };
        let sent = match answer.encode() {
            Ok(text) => socket.send(Message::text(text)).await,
            Err(error) => Err(axum::Error::new(error)),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn hear(app: &App, instance: InstanceId, text: &str) -> Option<ToAgent> {
    match ToServer::decode(text) {
        Ok(Decoded::Known(ToServer::PublishMetricsRequest(page))) => {
            app.usage.record(&app.world(), instance, &page, app.now_ms());
            Some(ToAgent::AckPublishMetric(Notice::default()))
        }
        Ok(Decoded::Known(ToServer::PublishHealthRequest(request))) => {
            for task in &request.tasks {
                report_health(app, instance, task).await;
            }
            Some(ToAgent::AckPublishHealth(Notice::default()))
        }
        Ok(Decoded::Known(ToServer::PublishInstanceStatusRequest(request))) => {
            report_instance(app, instance, &request).await;
            Some(ToAgent::AckPublishInstanceStatus(Notice::default()))
        }
        Ok(Decoded::Unknown(kind)) => {
            tracing::debug!(kind, "telemetry of unknown type");
            None
        }
        Err(error) => {
            tracing::warn!(%instance, %error, "telemetry that can't be read");
            Some(ToAgent::BadRequestException(Notice { message: error.to_string() }))
        }
    }
}

/// An agent tells of its own tasks alone: what it says of another's is passed over.
async fn report_health(app: &App, instance: InstanceId, task: &tcs::TaskHealth) {
    let Some(id) = task.task_arn.rsplit('/').next().and_then(|id| id.parse::<TaskId>().ok()) else { return };
    if app.world().task(id).is_none_or(|task| task.instance != instance) {
        return;
    }
    let health = |status: tcs::health::HealthStatus| match status {
        tcs::health::HealthStatus::Healthy => Health::Healthy,
        tcs::health::HealthStatus::Unhealthy => Health::Unhealthy,
        tcs::health::HealthStatus::Unknown => Health::Unknown,
    };
    let containers =
        task.containers.iter().map(|c| (c.container_name.as_str().into(), health(c.health_status))).collect();
    if let Err(error) = app.submit(Command::ReportHealth { task: id, containers }).await {
        tracing::debug!(task = %id, %error, "health could not be recorded");
    }
}

async fn report_instance(app: &App, id: InstanceId, request: &tcs::PublishInstanceStatusRequest) {
    let Ok(health) = Document::of(&instance_health(request)) else { return };
    if let Err(error) = app.submit(Command::ReportInstanceHealth { id, health }).await {
        tracing::debug!(%id, %error, "an instance's health could not be recorded");
    }
}

/// As DescribeContainerInstances gives it back: `overallStatus` and a line for each check that the API has a name for.
fn instance_health(request: &tcs::PublishInstanceStatusRequest) -> serde_json::Value {
    let checks = request.statuses.iter().filter_map(|status| {
        let kind = match status.r#type.as_str() {
            "ContainerRuntime" => "CONTAINER_RUNTIME",
            "AcceleratedCompute" => "ACCELERATED_COMPUTE",
            "Agent" => "AGENT_CONNECTIVITY",
            name if name.ends_with("Daemon") => "DAEMON",
            _ => return None,
        };
        Some((kind, status))
    });
    let checks: Vec<_> = checks.collect();
    let worst = ["IMPAIRED", "INSUFFICIENT_DATA", "INITIALIZING"];
    let overall = worst.into_iter().find(|bad| checks.iter().any(|(_, status)| status.status == *bad));
    let details = checks.iter().map(|(kind, status)| {
        let mut detail = json!({
            "type": kind, "status": status.status,
            "lastUpdated": status.last_updated, "lastStatusChange": status.last_status_change,
        });
        if let Some(reason) = status.status_reason.as_deref().filter(|reason| !reason.is_empty()) {
            detail["statusReason"] = reason.into();
        }
        detail
    });
    json!({"overallStatus": overall.unwrap_or("OK"), "details": details.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_as_well_as_its_worst_check() {
        let told = |statuses: serde_json::Value| {
            let metadata = json!({"cluster": "c", "containerInstance": "i"});
            let request =
                serde_json::from_value(json!({"metadata": metadata, "statuses": statuses})).unwrap();
            instance_health(&request)
        };
        let check = |kind: &str, status: &str| json!({"type": kind, "status": status, "statusReason": ""});
        assert_eq!(told(json!([])), json!({"overallStatus": "OK", "details": []}));
        let starting = told(json!([
            check("ContainerRuntime", "OK"),
            check("EBSDaemon", "INITIALIZING"),
            check("X", "IMPAIRED")
        ]));
        assert_eq!(starting["overallStatus"], "INITIALIZING");
        assert_eq!(starting["details"][0]["type"], "CONTAINER_RUNTIME");
        assert_eq!(starting["details"].as_array().unwrap().len(), 2, "the API has no name for the third");
        let mut bad = check("ContainerRuntime", "IMPAIRED");
        bad["statusReason"] = json!("docker is gone");
        let bad = told(json!([bad, check("Agent", "INSUFFICIENT_DATA")]));
        assert_eq!(bad["overallStatus"], "IMPAIRED");
        assert_eq!(bad["details"][0]["statusReason"], "docker is gone");
    }
}
