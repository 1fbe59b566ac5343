//! What a service's scheduler told, and what became of its deployments (ECS developer guide, "Amazon ECS service action
//! events", "Amazon ECS service deployment state change events").

use model::{Deployment, RolloutState, Service, ServiceEvent};
use serde_json::{Value, json};

use super::detail::milliseconds;
use crate::arn;

/// The events among a service's messages, oldest first. Most messages are none.
pub(super) fn actions(before: Option<&Service>, after: &Service) -> Vec<Value> {
    let told = before.and_then(|before| before.events.front()).map(|newest| newest.id);
    let new: Vec<&ServiceEvent> = after.events.iter().take_while(|event| Some(event.id) != told).collect();
    new.into_iter().rev().filter_map(|event| action(after, event)).collect()
}

fn action(service: &Service, event: &ServiceEvent) -> Option<Value> {
    let message = &*event.message;
    let (kind, name, reason) = if message.ends_with("has reached a steady state.") {
        ("INFO", "SERVICE_STEADY_STATE", None)
    } else if message.contains("is unable to consistently start tasks successfully.") {
        ("WARN", "SERVICE_TASK_START_IMPAIRED", None)
    } else if message.contains("was unable to place a task") {
        ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", Some(lacking(message)))
    } else {
        return None;
    };
    let mut detail = json!({
        "eventType": kind,
        "eventName": name,
        "clusterArn": arn::cluster(&service.key.cluster),
        "createdAt": milliseconds(event.at_ms),
    });
    if let Some(reason) = reason {
        detail["reason"] = reason.into();
    }
    let strategy = service.primary().map(|primary| &primary.capacity_strategy).into_iter().flatten();
    let providers: Vec<Value> = strategy.map(|item| provider(service, &item.provider).into()).collect();
    if !providers.is_empty() && name == "SERVICE_TASK_PLACEMENT_FAILURE" {
        detail["capacityProviderArns"] = providers.into();
    }
    Some(detail)
}

fn provider(service: &Service, name: &str) -> String {
    let scope = &service.key.cluster.scope;
    format!("arn:aws:ecs:{}:{}:capacity-provider/{name}", scope.region, scope.account)
}

/// What a placement lacked, in the words of RunTask's failures.
fn lacking(message: &str) -> String {
    let words = [
        ("insufficient CPU units", "RESOURCE:CPU"),
        ("insufficient memory", "RESOURCE:MEMORY"),
        ("a port required", "RESOURCE:PORTS"),
        ("agent that is not connected", "AGENT"),
        ("missing an attribute", "ATTRIBUTE"),
    ];
    if let Some((_, reason)) = words.into_iter().find(|(said, _)| message.contains(said)) {
        return reason.to_owned();
    }
    let code = |text: &str| {
        text.split(|c: char| !(c.is_ascii_uppercase() || c == ':' || c == '_')).next().map(str::to_owned)
    };
    let resource = message.find("RESOURCE:").and_then(|at| code(&message[at..]));
    resource.unwrap_or_else(|| message.to_owned())
}

/// Deployments that began, or came to their end.
pub(super) fn deployments(before: Option<&Service>, after: &Service) -> Vec<Value> {
    let changed = |one: &&Deployment| {
        let known = before.and_then(|before| before.deployment(&one.id));
        known.is_none_or(|known| known.rollout_state != one.rollout_state)
    };
    // A task set has no rollout. The newest stands first.
    let own = after.deployments.iter().rev().filter(|one| one.task_set.is_none());
    own.filter(changed).map(deployment).collect()
}

fn deployment(deployment: &Deployment) -> Value {
    let (kind, name) = match deployment.rollout_state {
        RolloutState::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        RolloutState::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        RolloutState::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    };
    json!({
        "eventType": kind,
        "eventName": name,
        "deploymentId": deployment.id.to_string(),
        "updatedAt": milliseconds(deployment.updated_at_ms),
        "reason": &*deployment.rollout_reason,
    })
}
