//! What became of the lifecycle hooks of a service's deployments (ECS developer guide, "Amazon ECS service deployment hook
//! state change events").

use model::{DeploymentId, HookRun, HookStatus, HookTarget, Lifecycle, Service};
use serde_json::{Value, json};

use super::detail::{milliseconds, seconds};
use crate::arn;

/// The service deployments whose hooks changed, with the details of each change.
pub(super) fn changes(before: Option<&Service>, after: &Service, now_ms: u64) -> Vec<(String, Value)> {
    let known: Vec<Hook<'_>> = before.map(hooks).unwrap_or_default();
    let now = hooks(after);
    let same = |one: &Hook<'_>, other: &Hook<'_>| one.run.id == other.run.id;
    // One whose time was over when its stage was left.
    let gone = known.iter().filter(|old| !now.iter().any(|new| same(old, new)));
    let late = gone.filter(|old| old.run.status_at(now_ms) == HookStatus::TimedOut);
    let changed = now.iter().filter(|new| {
        let old = known.iter().find(|old| same(old, new));
        old.is_none_or(|old| old.run.status != new.run.status)
    });
    let late = late.map(|hook| (hook, HookStatus::TimedOut));
    let changed = changed.map(|hook| (hook, hook.run.status));
    late.chain(changed).map(|(hook, status)| hook.told(after, status, now_ms)).collect()
}

struct Hook<'s> {
    lifecycle: &'s Lifecycle,
    /// Of the service deployment: on the way back too the one that is given up.
    deployment: &'s DeploymentId,
    run: &'s HookRun,
}

fn hooks(service: &Service) -> Vec<Hook<'_>> {
    let mut hooks = Vec::new();
    for deployment in &service.deployments {
        let Some(lifecycle) = deployment.lifecycle.as_deref() else { continue };
        let back = lifecycle.from.as_ref().filter(|_| lifecycle.back_from.is_some());
        let deployment = back.unwrap_or(&deployment.id);
        hooks.extend(lifecycle.runs.iter().map(|run| Hook { lifecycle, deployment, run }));
    }
    hooks
}

impl Hook<'_> {
    fn told(&self, service: &Service, status: HookStatus, now_ms: u64) -> (String, Value) {
        // ECS documents the type of those that go well; a failure is what it is for deployments.
        let (kind, name) = match status {
            HookStatus::AwaitingAction => ("INFO", "HOOK_AWAITING_ACTION"),
            HookStatus::InProgress => ("INFO", "HOOK_IN_PROGRESS"),
            HookStatus::Succeeded => ("INFO", "HOOK_SUCCEEDED"),
            HookStatus::Failed => ("ERROR", "HOOK_FAILED"),
            HookStatus::TimedOut => ("ERROR", "HOOK_TIMED_OUT"),
        };
        let target = self.lifecycle.stages.hooks.get(self.run.hook).map(|hook| &hook.target);
        let pauses = !matches!(target, Some(HookTarget::Url(_)));
        let resource = arn::service_deployment(&service.key, self.deployment);
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "hookId": &*self.run.id,
            "hookType": if pauses { "PAUSE" } else { "AWS_LAMBDA" },
            "expiresAt": seconds(self.run.expires_ms),
            "lifecycleStage": self.lifecycle.stage.as_str(),
            "clusterArn": arn::cluster(&service.key.cluster),
            "serviceArn": arn::service(&service.key),
            "serviceDeploymentArn": &resource,
            "updatedAt": milliseconds(now_ms),
        });
        (resource, detail)
    }
}
