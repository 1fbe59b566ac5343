use super::Draft;
use crate::{
    command::{NewDeployment, NewService, ServiceChange, Token},
    entity::*,
    event::Event,
    ids::DeploymentId,
    key::{Scope, ServiceKey},
    refusal::{Refusal, Stale},
};
use std::{collections::VecDeque, sync::Arc};

/// What ECS says of a deployment that is under way.
pub fn in_progress_reason(id: &DeploymentId) -> Arc<str> {
    format!("ECS deployment {id} in progress.").into()
}

/// What ECS says of a deployment that has come to its end.
pub fn completed_reason(id: &DeploymentId) -> Arc<str> {
    format!("ECS deployment {id} completed.").into()
}

impl Draft {
    pub(super) fn create_service(&mut self, new: &NewService, token: Option<&Token>) -> Result<(), Refusal> {
        let key = &new.key;
        self.check_token(&key.cluster.scope, token)?;
        self.need_active_cluster(&key.cluster)?;
        match self.world.service(key).map(|service| service.status) {
            Some(ServiceStatus::Active) => return Err(Refusal::ServiceExists(key.clone())),
            Some(ServiceStatus::Draining) => return Err(Refusal::ServiceDraining(key.clone())),
            Some(ServiceStatus::Inactive) | None => {}
        }
        if new.tags.len() > TAGS_ALLOWED {
            return Err(Refusal::TooManyTags(new.tags.len()));
        }
        let deployments = match &new.deployment {
            Some(deployment) => vec![self.deployment(&key.cluster.scope, deployment, new.desired_count)?],
            None => Vec::new(),
        };
        let stages = new.stages.clone();
        let begun = stages.clone().map(|stages| Box::new(Lifecycle::new(stages, None, false, self.now_ms)));
        let deployments: Vec<Deployment> =
            deployments.into_iter().map(|one| Deployment { lifecycle: begun.clone(), ..one }).collect();
        // Of one of that name that was before.
        self.forget_history(key);
        let service = Arc::new(Service {
            key: key.clone(),
            deployed: deployments.len() as u64,
            status: ServiceStatus::Active,
            desired_count: new.desired_count,
            scheduling: new.scheduling,
            controller: new.controller,
            minimum_healthy_percent: new.minimum_healthy_percent,
            maximum_percent: new.maximum_percent,
            breaker: new.breaker,
            stages,
            alarms: new.alarms.clone(),
            health_check_grace_s: new.health_check_grace_s,
            deployments,
            completed: None,
            events: VecDeque::new(),
            steady: false,
            placement_constraints: new.placement_constraints.clone(),
            placement_strategy: new.placement_strategy.clone(),
            propagate_tags: new.propagate_tags,
            managed_tags: new.managed_tags,
            enable_execute_command: new.enable_execute_command,
            tags: new.tags.clone(),
            created_by: new.created_by.clone(),
            created_at_ms: self.now_ms,
            inactive_at_ms: None,
            document: new.document.clone(),
            push: 0,
            version: 1,
        });
        self.emit(Event::ServiceCreated(service.clone()));
        self.record_deployment(&service, &[]);
        self.record_token(&key.cluster.scope, token, TokenResult::Named);
        Ok(())
    }

    /// A new deployment supersedes the PRIMARY one, which goes on as ACTIVE until its tasks are gone.
    pub(super) fn update_service(
        &mut self,
        key: &ServiceKey,
        expected_version: u64,
        change: &ServiceChange,
    ) -> Result<(), Refusal> {
        let old = self.need_service(key)?;
        if old.status != ServiceStatus::Active {
            return Err(Refusal::ServiceNotActive(key.clone()));
        }
        check_version(&old, expected_version)?;
        let mut service = Service::clone(&old);
        change_settings(&mut service, change);
        if let Some(deployment) = &change.deployment {
            let deployment = self.deployment(&key.cluster.scope, deployment, service.desired_count)?;
            self.history_is_superseded(&old);
            service.deployed += 1;
            let deployment = self.take_over(&mut service, deployment);
            service.deployments.insert(0, deployment);
            service.steady = false;
        } else if service.desired_count != old.desired_count {
            let (desired, now_ms) = (service.desired_count, self.now_ms);
            let primary = service.deployments.iter_mut().find(|d| d.status == DeploymentStatus::Primary);
            if let Some(primary) = primary {
                primary.desired_count = desired;
                primary.updated_at_ms = now_ms;
            }
            service.scale_task_sets(now_ms);
            service.steady = false;
        }
        if service != *old {
            service.version += 1;
            let service = Arc::new(service);
            self.emit(Event::ServiceUpdated(service.clone()));
            if service.deployed != old.deployed {
                self.record_deployment(&service, &old.deployments);
            }
        }
        Ok(())
    }

    /// All that the service runs makes way for the deployment: at once, or at the end of its stages.
    fn take_over(&self, service: &mut Service, deployment: Deployment) -> Deployment {
        let Some(stages) = service.stages.clone() else {
            service.supersede(None, self.now_ms);
            return deployment;
        };
        let there = |id: &DeploymentId| service.deployment(id).is_some();
        let from = service.completed.as_ref().map(|completed| completed.id.clone()).filter(there);
        let several = service.deployments.iter().any(|one| Some(&one.id) != from.as_ref());
        service.supersede(from.as_ref(), self.now_ms);
        let lifecycle = Lifecycle::new(stages, from, several, self.now_ms);
        Deployment { lifecycle: Some(lifecycle.into()), ..deployment }
    }

    /// The service drains: its scheduler stops the tasks, then it is INACTIVE.
    pub(super) fn delete_service(&mut self, key: &ServiceKey, force: bool) -> Result<(), Refusal> {
        let mut service = Service::clone(&*self.need_service(key)?);
        match service.status {
            ServiceStatus::Inactive => return Err(Refusal::ServiceNotActive(key.clone())),
            ServiceStatus::Draining => return Ok(()),
            ServiceStatus::Active => {}
        }
        let has_a_count = service.scheduling == SchedulingStrategy::Replica;
        if !force && has_a_count && service.desired_count > 0 {
            return Err(Refusal::ServiceScaledAboveZero(key.clone()));
        }
        self.history_is_cut_off(&service);
        service.status = ServiceStatus::Draining;
        service.desired_count = 0;
        for deployment in &mut service.deployments {
            deployment.desired_count = 0;
            deployment.lifecycle = None;
            deployment.updated_at_ms = self.now_ms;
        }
        service.version += 1;
        self.emit(Event::ServiceUpdated(service.into()));
        Ok(())
    }

    pub(super) fn need_service(&self, key: &ServiceKey) -> Result<Arc<Service>, Refusal> {
        self.world.service(key).cloned().ok_or_else(|| Refusal::ServiceNotFound(key.clone()))
    }

    /// A change that the scheduler, not the user, makes.
    pub(super) fn change_service(&mut self, key: &ServiceKey, change: impl FnOnce(&mut Service)) {
        let Some(old) = self.world.service(key).cloned() else { return };
        let mut service = Service::clone(&old);
        change(&mut service);
        if service != *old {
            service.version += 1;
            self.emit(Event::ServiceStepped(service.into()));
        }
    }

    pub(super) fn deployment(
        &self,
        scope: &Scope,
        new: &NewDeployment,
        desired_count: u32,
    ) -> Result<Deployment, Refusal> {
        self.need_active_definition(&new.definition.in_scope(scope))?;
        Ok(Deployment {
            id: new.id.clone(),
            status: DeploymentStatus::Primary,
            definition: new.definition.clone(),
            desired_count,
            launch_type: new.launch_type,
            capacity_strategy: new.capacity_strategy.clone(),
            platform_version: new.platform_version.clone(),
            platform_family: new.platform_family.clone(),
            network: new.network.clone(),
            subnet: new.subnet.clone(),
            rollout_state: RolloutState::InProgress,
            rollout_reason: in_progress_reason(&new.id),
            failed_tasks: 0,
            failed_at_ms: 0,
            throttle: Throttle::default(),
            created_at_ms: self.now_ms,
            updated_at_ms: self.now_ms,
            lifecycle: None,
            task_set: None,
            document: new.document.clone(),
        })
    }
}

/// Refuses what was made of another version of the service.
pub(super) fn check_version(service: &Service, expected: u64) -> Result<(), Refusal> {
    match service.version {
        actual if actual == expected => Ok(()),
        actual => {
            Err(Refusal::StaleSnapshot(Stale::Service { service: service.key.clone(), expected, actual }))
        }
    }
}

fn change_settings(service: &mut Service, change: &ServiceChange) {
    fn set<T: Clone>(field: &mut T, to: &Option<T>) {
        if let Some(to) = to {
            *field = to.clone();
        }
    }
    set(&mut service.desired_count, &change.desired_count);
    set(&mut service.minimum_healthy_percent, &change.minimum_healthy_percent);
    set(&mut service.maximum_percent, &change.maximum_percent);
    set(&mut service.breaker, &change.breaker);
    set(&mut service.stages, &change.stages);
    set(&mut service.alarms, &change.alarms);
    set(&mut service.health_check_grace_s, &change.health_check_grace_s);
    set(&mut service.placement_constraints, &change.placement_constraints);
    set(&mut service.placement_strategy, &change.placement_strategy);
    set(&mut service.propagate_tags, &change.propagate_tags);
    set(&mut service.managed_tags, &change.managed_tags);
    set(&mut service.enable_execute_command, &change.enable_execute_command);
    set(&mut service.document, &change.document);
}
