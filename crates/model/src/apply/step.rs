//! A step that a service's scheduler planned. It holds for the version of the service that it was
//! planned from, so two plans can't both start the missing tasks.

use super::{Draft, failures, service::check_version};
use crate::{
    command::{DeploymentChange, DeploymentStep, ServiceStep},
    entity::*,
    ids::DeploymentId,
    refusal::{Refusal, Stale},
};
use std::sync::Arc;

impl Draft {
    pub(super) fn step_service(&mut self, step: &ServiceStep) -> Result<(), Refusal> {
        let key = &step.service;
        let service = self.need_service(key)?;
        check_version(&service, step.expected_version)?;
        for task in &step.starts {
            self.start(task)?;
        }
        for (id, stop) in &step.stops {
            // One that has ended, or was forgotten meanwhile, needs no stop.
            let Some(task) = self.world.task(*id) else { continue };
            if task.service_key().as_ref() != Some(key) {
                return Err(Refusal::StaleSnapshot(Stale::Task(*id)));
            }
            self.request_stop(*id, stop.clone());
        }
        let now_ms = self.now_ms;
        let drained = step.inactive
            && service.status == ServiceStatus::Draining
            && self.world.live_tasks_of(key).all(|task| self.world.is_given_up(task));
        let to_end = self.is_to_end(&service);
        let open = service.primary().is_some_and(Deployment::is_rolling_out);
        let fits = |change: &DeploymentChange| match change {
            // What a user wants to end doesn't complete any more.
            DeploymentChange::Rollout(RolloutState::Completed, _) => !to_end,
            // From a deployment that fails now: one that has ended is the past.
            DeploymentChange::RollBack(_) => open,
            _ => true,
        };
        self.change_service(key, |service| {
            for change in step.deployments.iter().filter(|step| fits(&step.change)) {
                change_deployment(service, change, now_ms);
            }
            for event in &step.events {
                service.events.push_front(event.clone());
            }
            service.events.truncate(EVENTS_KEPT);
            service.steady = step.steady.unwrap_or(service.steady);
            if drained {
                service.status = ServiceStatus::Inactive;
                service.inactive_at_ms = Some(now_ms);
                service.deployments.clear();
                service.completed = None;
            }
            if !step.starts.is_empty() || !step.stops.is_empty() {
                // So that no other plan made from the same version can be applied as well.
                service.version += 1;
            }
        });
        let begins = step.deployments.iter().any(|step| matches!(step.change, DeploymentChange::Begin));
        self.history_follows_step(&service, begins);
        Ok(())
    }
}

fn change_deployment(service: &mut Service, step: &DeploymentStep, now_ms: u64) {
    match &step.change {
        DeploymentChange::Remove => {
            let primary = |d: &Deployment| d.status == DeploymentStatus::Primary;
            return service.deployments.retain(|d| d.id != step.id || primary(d));
        }
        DeploymentChange::RollBack(reason) => return roll_back(service, &step.id, reason, now_ms),
        _ => {}
    }
    let Some(deployment) = service.deployments.iter_mut().find(|d| d.id == step.id) else { return };
    match &step.change {
        DeploymentChange::Desired(count) => {
            deployment.desired_count = *count;
            if service.scheduling == SchedulingStrategy::Daemon {
                service.desired_count = *count;
            }
        }
        // It comes to one end, once, and as the PRIMARY one.
        DeploymentChange::Rollout(..) if !deployment.is_rolling_out() => return,
        DeploymentChange::Rollout(state, reason) => {
            deployment.rollout_state = *state;
            deployment.rollout_reason = reason.clone();
            if *state == RolloutState::Completed {
                deployment.failed_tasks = 0;
                deployment.lifecycle = None;
                service.completed = Some(Box::new(deployment.clone()));
            }
        }
        DeploymentChange::Stable(stable) => {
            if let Some(set) = &mut deployment.task_set {
                (set.stable, set.stable_at_ms) = (*stable, now_ms);
            }
            return;
        }
        DeploymentChange::Stage(lifecycle) => deployment.lifecycle = Some(lifecycle.clone()),
        DeploymentChange::Failed(tasks) => failures::fail(deployment, *tasks, None, now_ms),
        DeploymentChange::Begin | DeploymentChange::Remove | DeploymentChange::RollBack(_) => {}
    }
    deployment.updated_at_ms = now_ms;
}

/// The deployment comes back as it was, with the tasks that it still has. It can't be rolled back to again before it
/// has completed (ECS developer guide, "How the Amazon ECS deployment circuit breaker detects failures").
fn roll_back(service: &mut Service, to: &DeploymentId, reason: &Arc<str>, now_ms: u64) {
    if service.primary().is_none_or(|primary| primary.rollout_state != RolloutState::Failed) {
        return;
    }
    let Some(completed) = service.completed.take_if(|completed| completed.id == *to) else { return };
    // Where the old tasks are beside the new ones still, the new ones go when the traffic has come back.
    let given_up =
        service.primary().and_then(|primary| Some((primary.id.clone(), primary.lifecycle.clone()?)));
    let beside = given_up.filter(|(_, lifecycle)| lifecycle.stages.strategy != DeploymentStrategy::Rolling);
    let back = beside.map(|(id, lifecycle)| Box::new(lifecycle.back(id, now_ms)));
    let beside = back.as_ref().and_then(|back| back.from.clone());
    service.supersede(beside.as_ref(), now_ms);
    service.deployments.retain(|deployment| deployment.id != *to);
    let deployment = Deployment {
        status: DeploymentStatus::Primary,
        desired_count: service.desired_count,
        rollout_state: RolloutState::InProgress,
        rollout_reason: reason.clone(),
        throttle: Throttle::default(),
        updated_at_ms: now_ms,
        lifecycle: back,
        ..*completed
    };
    service.deployments.insert(0, deployment);
    service.steady = false;
}
