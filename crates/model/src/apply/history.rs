//! The history of a service: each deployment has a record from the commit that made it, which ends with it. What a
//! record becomes follows from the service before and after a change, whoever made the change.

use super::Draft;
use crate::{
    entity::ServiceDeploymentStatus as Status, entity::*, event::Event, ids::DeploymentId, key::ServiceKey,
    refusal::Refusal,
};
use std::sync::Arc;

/// In ECS's words.
const BREAKER: &str = "Service deployment rolled back because the circuit breaker threshold was exceeded.";
const NO_CANDIDATE: &str = "No rollback candidate was found to run the rollback.";
/// ECS has words for these too, which it doesn't document.
const BREAKER_STOPPED: &str =
    "Service deployment stopped because the circuit breaker threshold was exceeded.";
const HOOK: &str = "Service deployment rolled back because a lifecycle hook failed.";
const ASKED: &str = "Service deployment rolled back because a user asked for it.";
const ABORTED: &str = "Service deployment stopped because a user asked for it.";
const SUPERSEDED: &str = "Service deployment stopped because a newer service deployment was started.";
const DELETED: &str = "Service deployment stopped because the service was deleted.";
const ROLLBACK_SUPERSEDED: &str = "The rollback was given up because a newer service deployment was started.";
const ROLLBACK_DELETED: &str = "The rollback was given up because the service was deleted.";
const ROLLBACK_BROKEN: &str = "The rollback failed because the circuit breaker threshold was exceeded.";

/// What becomes of a record.
struct Move {
    to: Status,
    reason: Option<&'static str>,
    rollback: Option<Rollback>,
    /// The circuit breaker did it.
    triggered: bool,
}

impl Move {
    fn to(to: Status) -> Self {
        Self { to, reason: None, rollback: None, triggered: false }
    }

    fn because(to: Status, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..Self::to(to) }
    }

    /// After a step of the scheduler.
    fn after_step(
        record: &ServiceDeployment,
        before: &Service,
        after: &Service,
        begins: bool,
        now_ms: u64,
    ) -> Option<Self> {
        let (old, new) = (before.primary()?, after.primary()?);
        let asked = record.status == Status::RollbackRequested;
        let refused = old.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.refused(now_ms).is_some());
        let reason = match (asked, refused) {
            (true, _) => ASKED,
            (false, true) => HOOK,
            (false, false) => BREAKER,
        };
        let triggered = !asked && !refused;
        let rollback = |to: Option<&Deployment>| Rollback {
            reason: reason.into(),
            at_ms: now_ms,
            to: to.map(|deployment| deployment.id.clone()),
        };
        if new.id != old.id {
            let rollback = Some(rollback(Some(new)));
            return Some(Self { rollback, triggered, ..Self::because(Status::RollbackInProgress, reason) });
        }
        let state = Some(new.rollout_state).filter(|state| *state != old.rollout_state);
        match (state, record.status) {
            (Some(RolloutState::Completed), Status::RollbackInProgress) => {
                Some(Self::to(Status::RollbackSuccessful))
            }
            (Some(RolloutState::Completed), _) => Some(Self::to(Status::Successful)),
            (Some(RolloutState::Failed), Status::StopRequested) => {
                Some(Self::because(Status::Stopped, ABORTED))
            }
            (Some(RolloutState::Failed), Status::RollbackInProgress) => {
                Some(Self::because(Status::RollbackFailed, ROLLBACK_BROKEN))
            }
            (Some(RolloutState::Failed), _) if asked || refused || after.breaker.rollback => {
                let failed = Self::because(Status::RollbackFailed, NO_CANDIDATE);
                Some(Self { rollback: Some(rollback(None)), triggered, ..failed })
            }
            (Some(RolloutState::Failed), _) => {
                Some(Self { triggered: true, ..Self::because(Status::Stopped, BREAKER_STOPPED) })
            }
            (_, Status::Pending) if begins => Some(Self::to(Status::InProgress)),
            _ => None,
        }
    }

    /// Something else than its scheduler ends it.
    fn cut_short(record: &ServiceDeployment, stopped: &'static str, rolling_back: &'static str) -> Self {
        match record.status {
            Status::RollbackRequested | Status::RollbackInProgress => {
                Self::because(Status::RollbackFailed, rolling_back)
            }
            _ => Self::because(Status::Stopped, stopped),
        }
    }
}

impl Draft {
    /// The service was given its newest deployment; `before` is what it ran until then.
    pub(super) fn record_deployment(&mut self, service: &Service, before: &[Deployment]) {
        let Some(deployment) = service.primary() else { return };
        self.emit(Event::ServiceRevisionRecorded(self.revision(service, deployment).into()));
        self.emit(Event::ServiceDeploymentRecorded(Arc::new(ServiceDeployment {
            service: service.key.clone(),
            number: service.deployed,
            deployment: deployment.id.clone(),
            status: Status::Pending,
            reason: None,
            sources: before
                .iter()
                .map(|old| SourceRevision { deployment: old.id.clone(), counts: None })
                .collect(),
            counts: None,
            watch: None,
            rollback: None,
            stage: None,
            created_at_ms: self.now_ms,
            started_at_ms: None,
            finished_at_ms: None,
            stopped_at_ms: None,
            updated_at_ms: self.now_ms,
            document: service.document.clone(),
        })));
        self.forget_old_history(service);
    }

    fn revision(&self, service: &Service, deployment: &Deployment) -> ServiceRevision {
        let definition = self.world.definition(&deployment.definition.in_scope(&service.key.cluster.scope));
        let image = |container: &ContainerShape| RevisionImage {
            container: container.name.clone(),
            image: container.image.clone(),
            digest: container.image.split_once('@').map(|(_, digest)| digest.into()),
        };
        ServiceRevision {
            service: service.key.clone(),
            number: service.deployed,
            deployment: deployment.id.clone(),
            definition: deployment.definition.clone(),
            launch_type: deployment.launch_type,
            capacity_strategy: deployment.capacity_strategy.clone(),
            platform_version: deployment.platform_version.clone(),
            platform_family: deployment.platform_family.clone(),
            network: deployment.network.clone(),
            images: definition.iter().flat_map(|definition| &definition.containers).map(image).collect(),
            created_at_ms: self.now_ms,
            document: deployment.document.clone(),
        }
    }

    /// A step of the scheduler brought the service from `before` to what it is now.
    pub(super) fn history_follows_step(&mut self, before: &Service, begins: bool) {
        let Some(after) = self.world.service(&before.key).cloned() else { return };
        let Some(record) = self.under_way(&after) else { return };
        if let Some(step) = Move::after_step(&record, before, &after, begins, self.now_ms) {
            self.move_record(&record, before, step);
        }
    }

    /// To be called before the service that is given up is changed.
    pub(super) fn history_is_superseded(&mut self, service: &Service) {
        let Some(record) = self.under_way(service) else { return };
        self.move_record(&record, service, Move::cut_short(&record, SUPERSEDED, ROLLBACK_SUPERSEDED));
    }

    /// To be called before the service is changed.
    pub(super) fn history_is_cut_off(&mut self, service: &Service) {
        let Some(record) = self.under_way(service) else { return };
        self.move_record(&record, service, Move::cut_short(&record, DELETED, ROLLBACK_DELETED));
    }

    /// The service's scheduler does it: what was planned before is void.
    pub(super) fn stop_deployment(
        &mut self,
        key: &ServiceKey,
        deployment: &DeploymentId,
        stop: StopType,
    ) -> Result<(), Refusal> {
        let none = || Refusal::DeploymentNotFound(deployment.clone());
        let service = self.world.service(key).cloned().ok_or_else(none)?;
        let record = self.world.service_deployment(key, deployment).cloned().ok_or_else(none)?;
        if record.status.is_over() {
            return Err(Refusal::DeploymentOver(deployment.clone(), record.status));
        }
        // One that ends already goes on ending (ECS developer guide, "Stopping Amazon ECS service deployments").
        if !matches!(record.status, Status::Pending | Status::InProgress) {
            return Ok(());
        }
        let (to, reason) = match stop {
            StopType::Rollback => (Status::RollbackRequested, ASKED),
            StopType::Abort => (Status::StopRequested, ABORTED),
        };
        self.move_record(&record, &service, Move::because(to, reason));
        let version = service.version + 1;
        self.emit(Event::ServiceUpdated(Service { version, ..Service::clone(&service) }.into()));
        Ok(())
    }

    /// A user has asked for it.
    pub(super) fn is_to_end(&self, service: &Service) -> bool {
        let record = self.under_way(service);
        record
            .is_some_and(|record| matches!(record.status, Status::StopRequested | Status::RollbackRequested))
    }

    /// All of it, with the service.
    pub(super) fn forget_history(&mut self, key: &ServiceKey) {
        let records: Vec<u64> = self.world.service_deployments(key).map(|record| record.number).collect();
        let revisions: Vec<u64> = self.world.service_revisions(key).map(|revision| revision.number).collect();
        for number in records {
            self.emit(Event::ServiceDeploymentForgotten(key.clone(), number));
        }
        for number in revisions {
            self.emit(Event::ServiceRevisionForgotten(key.clone(), number));
        }
    }

    fn under_way(&self, service: &Service) -> Option<Arc<ServiceDeployment>> {
        self.world.newest_service_deployment(service).filter(|record| !record.status.is_over()).cloned()
    }

    fn move_record(&mut self, old: &ServiceDeployment, before: &Service, step: Move) {
        if !old.status.may_become(step.to) {
            return;
        }
        let now_ms = self.now_ms;
        let seen = self.world.deployment_history(old);
        let mut record = ServiceDeployment {
            status: step.to,
            reason: step.reason.map(Into::into).or(old.reason.clone()),
            rollback: step.rollback.or(old.rollback.clone()),
            updated_at_ms: now_ms,
            ..old.clone()
        };
        if matches!(step.to, Status::InProgress | Status::Successful | Status::RollbackInProgress) {
            record.started_at_ms.get_or_insert(now_ms);
        }
        if !matches!(step.to, Status::InProgress | Status::StopRequested | Status::RollbackRequested) {
            // A deployment that completes begins to count anew: what it had counted is in what it was before.
            let failures = before.deployment(&old.deployment).map_or(0, |deployment| deployment.failed_tasks);
            let status = match (seen.watch.status, step.triggered) {
                (WatchStatus::Disabled, _) => WatchStatus::Disabled,
                (_, true) => WatchStatus::Triggered,
                (_, false) => WatchStatus::MonitoringComplete,
            };
            let failures = if status == WatchStatus::Disabled { 0 } else { failures };
            record.watch.get_or_insert(Watch { status, failures, ..seen.watch });
        }
        if step.to.is_over() {
            record.stage = before.stage().or(record.stage);
            record.finished_at_ms = Some(now_ms);
            record.stopped_at_ms = (step.to == Status::Stopped).then_some(now_ms);
            record.counts = Some(seen.target);
            for (source, counts) in record.sources.iter_mut().zip(seen.sources) {
                source.counts = Some(counts);
            }
            self.resolve_images(&record);
        }
        self.emit(Event::ServiceDeploymentRecorded(record.into()));
    }

    /// Its tasks will be forgotten: what their images were is kept.
    fn resolve_images(&mut self, record: &ServiceDeployment) {
        let revisions = &self.world.service_revisions;
        let Some(revision) = revisions.get(&(record.service.clone(), record.number)).cloned() else { return };
        let images = self.world.revision_images(&revision);
        if images != revision.images {
            let revision = ServiceRevision { images, ..ServiceRevision::clone(&revision) };
            self.emit(Event::ServiceRevisionRecorded(revision.into()));
        }
    }

    /// With each new deployment the oldest ones go. What the service may still run, or go back to, keeps its revision.
    fn forget_old_history(&mut self, service: &Service) {
        let (key, newest, now_ms) = (&service.key, service.deployed, self.now_ms);
        let too_many = |number: u64| number + HISTORY_KEPT <= newest;
        let in_use = |id: &DeploymentId| {
            service
                .deployments
                .iter()
                .chain(service.completed.as_deref())
                .any(|deployment| deployment.id == *id)
        };
        let records = self.world.service_deployments(key);
        let records: Vec<u64> =
            records.filter(|r| too_many(r.number) || !r.is_told(now_ms)).map(|r| r.number).collect();
        let revisions = self.world.service_revisions(key);
        let revisions: Vec<u64> =
            revisions.filter(|r| too_many(r.number) && !in_use(&r.deployment)).map(|r| r.number).collect();
        for number in records {
            self.emit(Event::ServiceDeploymentForgotten(key.clone(), number));
        }
        for number in revisions {
            self.emit(Event::ServiceRevisionForgotten(key.clone(), number));
        }
    }
}
