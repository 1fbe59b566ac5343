//! When a deployment is given up, and for which other one: because too many of its tasks failed (ECS developer guide,
//! "How the Amazon ECS deployment circuit breaker detects failures"), or because a user asked for it
//! (StopServiceDeployment). ECS counts tasks that don't come to RUNNING or fail a health check; here those count as well
//! that end by themselves: until it is over, a deployment has to show that its tasks hold.

use model::{
    Deployment, RolloutState, Service, ServiceDeploymentStatus as Status, World,
    command::{DeploymentChange, DeploymentStep},
};

/// Why a deployment is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The circuit breaker has counted enough failures.
    Failed,
    /// A lifecycle hook has failed.
    Hook,
    /// A user wants what was before.
    RollBack,
    /// A user wants it to stay as it is now.
    Abort,
}

/// Whether the PRIMARY deployment is to be given up. What a user asks comes first.
pub(super) fn why(world: &World, service: &Service, primary: &Deployment, now_ms: u64) -> Option<Why> {
    if primary.rollout_state != RolloutState::InProgress {
        return None;
    }
    match world.newest_service_deployment(service).map(|record| record.status) {
        Some(Status::RollbackRequested) => return Some(Why::RollBack),
        Some(Status::StopRequested) => return Some(Why::Abort),
        _ => {}
    }
    let forward = primary.lifecycle.as_ref().filter(|lifecycle| lifecycle.back_from.is_none());
    if forward.is_some_and(|lifecycle| lifecycle.refused(now_ms).is_some()) {
        return Some(Why::Hook);
    }
    let failed =
        service.breaker.enable && primary.failed_tasks >= service.breaker.allows(service.desired_count);
    failed.then_some(Why::Failed)
}

/// The deployment that takes over from one that is given up.
pub(super) fn back_to<'w>(service: &'w Service, primary: &Deployment, why: Why) -> Option<&'w Deployment> {
    let goes_back = match why {
        Why::Failed => service.breaker.rollback,
        Why::Hook | Why::RollBack => true,
        Why::Abort => false,
    };
    service.completed.as_deref().filter(|completed| goes_back && completed.id != primary.id)
}

pub(super) fn steps(primary: &Deployment, why: Why, back_to: Option<&Deployment>) -> Vec<DeploymentStep> {
    let failed = match why {
        Why::Failed => "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
        Why::Hook => format!("ECS deployment {}: a lifecycle hook failed.", primary.id),
        Why::RollBack | Why::Abort => format!("ECS deployment {} was stopped by a user.", primary.id),
    };
    let failed = DeploymentStep {
        id: primary.id.clone(),
        change: DeploymentChange::Rollout(RolloutState::Failed, failed.into()),
    };
    let roll_back = |to: &Deployment| {
        let reason = match why {
            Why::Failed => format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", to.id),
            Why::Hook | Why::RollBack | Why::Abort => format!("Rolling back to deploymentId {}.", to.id),
        };
        DeploymentStep { id: to.id.clone(), change: DeploymentChange::RollBack(reason.into()) }
    };
    [failed].into_iter().chain(back_to.map(roll_back)).collect()
}

/// What the first step for a deployment says of it, before all else.
pub(super) fn begin(world: &World, service: &Service, primary: &Deployment) -> Option<DeploymentStep> {
    let record = world.newest_service_deployment(service)?;
    let waits = record.status == Status::Pending && record.deployment == primary.id;
    waits.then(|| DeploymentStep { id: primary.id.clone(), change: DeploymentChange::Begin })
}
