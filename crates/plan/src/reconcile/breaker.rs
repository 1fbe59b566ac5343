//! The deployment circuit breaker (ECS developer guide, "How the Amazon ECS deployment circuit breaker detects
//! failures"). ECS counts tasks that don't come to RUNNING or fail a health check; here those count as well that end
//! by themselves: until it is over, a deployment has to show that its tasks hold.

use model::{
    Breaker, Deployment, RolloutState, Service, ThresholdKind,
    command::{DeploymentChange, DeploymentStep},
};

/// BOUNDED_PERCENT stays between these.
const FEWEST: u32 = 3;
const MOST: u32 = 200;

/// So many failed tasks end a deployment.
pub fn threshold(breaker: Breaker, desired: u32) -> u32 {
    let value = breaker.threshold.value;
    let percent = || {
        let tasks = (u64::from(desired) * u64::from(value)).div_ceil(100);
        u32::try_from(tasks).unwrap_or(u32::MAX)
    };
    match breaker.threshold.kind {
        ThresholdKind::BoundedPercent => percent().clamp(FEWEST, MOST),
        ThresholdKind::UnboundedPercent => percent().max(1),
        ThresholdKind::Count => value,
    }
}

/// Whether the PRIMARY deployment is to be given up.
pub(super) fn trips(service: &Service, primary: &Deployment) -> bool {
    service.breaker.enable
        && primary.rollout_state == RolloutState::InProgress
        && primary.failed_tasks >= threshold(service.breaker, service.desired_count)
}

/// The deployment that takes over from one that is given up.
pub(super) fn back_to<'w>(service: &'w Service, primary: &Deployment) -> Option<&'w Deployment> {
    service.completed.as_deref().filter(|completed| service.breaker.rollback && completed.id != primary.id)
}

pub(super) fn steps(primary: &Deployment, back_to: Option<&Deployment>) -> Vec<DeploymentStep> {
    let failed = "ECS deployment circuit breaker: tasks failed to start.".into();
    let failed = DeploymentStep {
        id: primary.id.clone(),
        change: DeploymentChange::Rollout(RolloutState::Failed, failed),
    };
    let roll_back = |to: &Deployment| {
        let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", to.id);
        DeploymentStep { id: to.id.clone(), change: DeploymentChange::RollBack(reason.into()) }
    };
    [failed].into_iter().chain(back_to.map(roll_back)).collect()
}
