//! Task sets: deployments of a service that somebody else decides on. ECS keeps each at its share of the desired count,
//! and does nothing else by itself.

use super::Draft;
use crate::{
    command::{NewDeployment, Token},
    entity::*,
    event::Event,
    ids::DeploymentId,
    key::ServiceKey,
    refusal::Refusal,
};
use std::sync::Arc;

impl Draft {
    pub(super) fn create_task_set(
        &mut self,
        key: &ServiceKey,
        new: &NewDeployment,
        set: TaskSet,
        token: Option<&Token>,
    ) -> Result<(), Refusal> {
        let scope = &key.cluster.scope;
        self.check_token(scope, token)?;
        let service = self.need_external(key)?;
        if set.tags.len() > TAGS_ALLOWED {
            return Err(Refusal::TooManyTags(set.tags.len()));
        }
        let deployment = self.deployment(scope, new, set.computed(service.desired_count))?;
        // It has no end to come to, so nothing is counted for one.
        let deployment = Deployment {
            status: DeploymentStatus::Active,
            rollout_state: RolloutState::Completed,
            rollout_reason: Arc::default(),
            task_set: Some(set.into()),
            ..deployment
        };
        self.change_task_sets(key, |service| service.deployments.push(deployment));
        self.record_token(scope, token, TokenResult::TaskSet(new.id.clone()));
        Ok(())
    }

    pub(super) fn scale_task_set(
        &mut self,
        key: &ServiceKey,
        set: &DeploymentId,
        scale: f64,
    ) -> Result<(), Refusal> {
        self.need_task_set(key, set)?;
        let now_ms = self.now_ms;
        self.change_task_sets(key, |service| {
            let found = service.deployments.iter_mut().find(|one| one.id == *set);
            let Some(found) = found else { return };
            let Some(own) = found.task_set.as_deref_mut().filter(|own| own.scale != scale) else { return };
            (own.scale, own.stable, own.stable_at_ms) = (scale, false, now_ms);
            found.updated_at_ms = now_ms;
            service.scale_task_sets(now_ms);
        });
        Ok(())
    }

    /// The one that was is ACTIVE from then on.
    pub(super) fn set_primary_task_set(
        &mut self,
        key: &ServiceKey,
        set: &DeploymentId,
    ) -> Result<(), Refusal> {
        self.need_task_set(key, set)?;
        let now_ms = self.now_ms;
        self.change_task_sets(key, |service| {
            for one in &mut service.deployments {
                let status = match one.status {
                    _ if one.id == *set => DeploymentStatus::Primary,
                    DeploymentStatus::Primary => DeploymentStatus::Active,
                    status => status,
                };
                if status != one.status {
                    (one.status, one.updated_at_ms) = (status, now_ms);
                }
            }
        });
        Ok(())
    }

    pub(super) fn delete_task_set(
        &mut self,
        key: &ServiceKey,
        set: &DeploymentId,
        force: bool,
    ) -> Result<(), Refusal> {
        let found = self.need_task_set(key, set)?;
        if !force && found.desired_count > 0 {
            return Err(Refusal::TaskSetScaledAboveZero(set.clone()));
        }
        let now_ms = self.now_ms;
        self.change_task_sets(key, |service| {
            let found = service.deployments.iter_mut().find(|one| one.id == *set);
            if let Some(found) = found {
                (found.status, found.desired_count) = (DeploymentStatus::Draining, 0);
                found.updated_at_ms = now_ms;
            }
        });
        Ok(())
    }

    /// A user's change, so what was planned before is void.
    fn change_task_sets(&mut self, key: &ServiceKey, change: impl FnOnce(&mut Service)) {
        let Some(old) = self.world.service(key).cloned() else { return };
        let mut service = Service::clone(&old);
        change(&mut service);
        if service != *old {
            service.version += 1;
            self.emit(Event::ServiceUpdated(service.into()));
        }
    }

    fn need_external(&self, key: &ServiceKey) -> Result<Arc<Service>, Refusal> {
        let service = self.need_service(key)?;
        match (service.status, service.controller) {
            (ServiceStatus::Active, ControllerType::External) => Ok(service),
            (ServiceStatus::Active, _) => Err(Refusal::NoTaskSets(key.clone())),
            _ => Err(Refusal::ServiceNotActive(key.clone())),
        }
    }

    /// One that drains is as good as gone.
    fn need_task_set(&self, key: &ServiceKey, set: &DeploymentId) -> Result<Deployment, Refusal> {
        let service = self.need_external(key)?;
        let found = service.deployment(set).filter(|set| set.status != DeploymentStatus::Draining);
        found.cloned().ok_or_else(|| Refusal::TaskSetNotFound(set.clone()))
    }
}
