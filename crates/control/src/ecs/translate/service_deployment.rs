//! The records of a service's deployments, as they are listed and described.

use model::{
    DeploymentId, HookRun, HookTarget, Lifecycle, RevisionCounts, ServiceDeployment, ServiceKey, Stage,
    Watch, World,
};
use wire::Timestamp;
use wire::ecs::{self, ServiceDeploymentRollbackMonitorsStatus};

use super::service::number;
use crate::arn;
use crate::ecs::service::Recorded;

pub(crate) fn brief(record: &ServiceDeployment) -> ecs::ServiceDeploymentBrief {
    ecs::ServiceDeploymentBrief {
        service_deployment_arn: Some(arn::service_deployment(&record.service, &record.deployment)),
        service_arn: Some(arn::service(&record.service)),
        cluster_arn: Some(arn::cluster(&record.service.cluster)),
        created_at: Some(Timestamp::from_ms(record.created_at_ms)),
        started_at: record.started_at_ms.map(Timestamp::from_ms),
        finished_at: record.finished_at_ms.map(Timestamp::from_ms),
        target_service_revision_arn: Some(arn::service_revision(&record.service, &record.deployment)),
        status: record.status.as_str().parse().ok(),
        status_reason: record.reason.as_ref().map(ToString::to_string),
    }
}

pub(crate) fn to_wire(world: &World, record: &ServiceDeployment, now_ms: u64) -> ecs::ServiceDeployment {
    let key = &record.service;
    let lifecycle = world.lifecycle(record);
    let now = world.deployment_history(record);
    let sources = record.sources.iter().zip(&now.sources);
    let configuration = record.document.as_ref().and_then(|document| document.to::<Recorded>().ok());
    ecs::ServiceDeployment {
        service_deployment_arn: Some(arn::service_deployment(key, &record.deployment)),
        service_arn: Some(arn::service(key)),
        cluster_arn: Some(arn::cluster(&key.cluster)),
        created_at: Some(Timestamp::from_ms(record.created_at_ms)),
        started_at: record.started_at_ms.map(Timestamp::from_ms),
        finished_at: record.finished_at_ms.map(Timestamp::from_ms),
        stopped_at: record.stopped_at_ms.map(Timestamp::from_ms),
        updated_at: Some(Timestamp::from_ms(updated_at_ms(world, record))),
        source_service_revisions: Some(
            sources.map(|(source, counts)| summary(key, &source.deployment, *counts)).collect(),
        ),
        target_service_revision: Some(summary(key, &record.deployment, now.target)),
        status: record.status.as_str().parse().ok(),
        status_reason: record.reason.as_ref().map(ToString::to_string),
        lifecycle_stage: lifecycle.map(|one| one.stage).or(record.stage).and_then(stage),
        lifecycle_hook_details: lifecycle
            .map(|one| one.runs.iter().map(|run| hook(one, run, now_ms)).collect()),
        deployment_configuration: configuration.map(|recorded| recorded.deployment_configuration),
        rollback: record.rollback.as_ref().map(|rollback| ecs::Rollback {
            reason: Some(rollback.reason.to_string()),
            started_at: Some(Timestamp::from_ms(rollback.at_ms)),
            service_revision_arn: rollback.to.as_ref().map(|to| arn::service_revision(key, to)),
        }),
        deployment_circuit_breaker: Some(breaker(now.watch)),
        // No deployment has alarms: a service that asks for them is refused.
        alarms: Some(ecs::ServiceDeploymentAlarms {
            status: Some(ServiceDeploymentRollbackMonitorsStatus::Disabled),
            ..ecs::ServiceDeploymentAlarms::default()
        }),
    }
}

/// While it is under way the deployment itself knows better when something happened to it.
fn updated_at_ms(world: &World, record: &ServiceDeployment) -> u64 {
    let deployment = world
        .service(&record.service)
        .filter(|_| !record.status.is_over())
        .and_then(|service| service.deployment(&record.deployment));
    deployment.map_or(0, |deployment| deployment.updated_at_ms).max(record.updated_at_ms)
}

fn summary(
    key: &ServiceKey,
    deployment: &DeploymentId,
    counts: RevisionCounts,
) -> ecs::ServiceRevisionSummary {
    ecs::ServiceRevisionSummary {
        arn: Some(arn::service_revision(key, deployment)),
        requested_task_count: number(counts.requested),
        running_task_count: number(counts.running),
        pending_task_count: number(counts.pending),
        ..ecs::ServiceRevisionSummary::default()
    }
}

/// A stage that DescribeServiceDeployments has no name for is shown as the one that it follows.
fn stage(stage: Stage) -> Option<ecs::ServiceDeploymentLifecycleStage> {
    let shown = match stage {
        Stage::PreProductionTrafficShift => Stage::PostTestTrafficShift,
        stage => stage,
    };
    shown.as_str().parse().ok()
}

fn hook(lifecycle: &Lifecycle, run: &HookRun, now_ms: u64) -> ecs::DeploymentLifecycleHookDetail {
    let hook = lifecycle.stages.hooks.get(run.hook);
    let (kind, target) = match hook.map(|hook| &hook.target) {
        Some(HookTarget::Url(url)) => {
            (ecs::DeploymentLifecycleHookTargetType::AwsLambda, Some(url.to_string()))
        }
        Some(HookTarget::Pause) | None => (ecs::DeploymentLifecycleHookTargetType::Pause, None),
    };
    ecs::DeploymentLifecycleHookDetail {
        hook_id: Some(run.id.to_string()),
        target_type: Some(kind),
        target_arn: target,
        status: run.status_at(now_ms).as_str().parse().ok(),
        expires_at: Some(Timestamp::from_ms(run.expires_ms)),
        timeout_action: hook.and_then(|hook| hook.on_timeout.as_str().parse().ok()),
    }
}

fn breaker(watch: Watch) -> ecs::ServiceDeploymentCircuitBreaker {
    ecs::ServiceDeploymentCircuitBreaker {
        status: watch.status.as_str().parse().ok(),
        failure_count: number(watch.failures),
        threshold: number(watch.threshold),
    }
}
