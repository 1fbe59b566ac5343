//! The records of a service's deployments, and what they say while those are under way.

use super::World;
use crate::{entity::*, ids::DeploymentId, key::ServiceKey};
use std::{collections::BTreeMap, sync::Arc};

/// What a record tells, in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentHistory {
    pub target: RevisionCounts,
    /// As the record's `sources`.
    pub sources: Vec<RevisionCounts>,
    pub watch: Watch,
}

impl World {
    /// Of one service, oldest first.
    pub fn service_deployments(
        &self,
        key: &ServiceKey,
    ) -> impl DoubleEndedIterator<Item = &Arc<ServiceDeployment>> {
        self.service_deployments.range((key.clone(), 0)..=(key.clone(), u64::MAX)).map(|(_, record)| record)
    }

    pub fn service_deployment(
        &self,
        key: &ServiceKey,
        deployment: &DeploymentId,
    ) -> Option<&Arc<ServiceDeployment>> {
        self.service_deployments(key).rev().find(|record| record.deployment == *deployment)
    }

    /// The record of the deployment that the service was given last. No other one can be under way.
    pub fn newest_service_deployment(&self, service: &Service) -> Option<&Arc<ServiceDeployment>> {
        self.service_deployments.get(&(service.key.clone(), service.deployed))
    }

    /// Of one service, oldest first.
    pub fn service_revisions(
        &self,
        key: &ServiceKey,
    ) -> impl DoubleEndedIterator<Item = &Arc<ServiceRevision>> {
        self.service_revisions.range((key.clone(), 0)..=(key.clone(), u64::MAX)).map(|(_, revision)| revision)
    }

    /// The stages of the deployment, or of the way back from it, while it is under way.
    pub fn lifecycle(&self, record: &ServiceDeployment) -> Option<&Lifecycle> {
        let service = self.service(&record.service).filter(|_| !record.status.is_over())?;
        service.primary().filter(|_| service.deployed == record.number)?.lifecycle.as_deref()
    }

    /// What the record says, or what will be in it once the deployment is over.
    pub fn deployment_history(&self, record: &ServiceDeployment) -> DeploymentHistory {
        let counts = |deployment| self.revision_counts(&record.service, deployment);
        let sources = record.sources.iter();
        DeploymentHistory {
            target: record.counts.unwrap_or_else(|| counts(&record.deployment)),
            sources: sources
                .map(|source| source.counts.unwrap_or_else(|| counts(&source.deployment)))
                .collect(),
            watch: record.watch.unwrap_or_else(|| self.watch(record)),
        }
    }

    pub fn revision_counts(&self, key: &ServiceKey, deployment: &DeploymentId) -> RevisionCounts {
        let now = self.deployment_counts(key, Some(deployment));
        let wanted = self.service(key).and_then(|service| service.deployment(deployment));
        RevisionCounts {
            requested: wanted.map_or(0, |deployment| deployment.desired_count),
            running: now.running,
            pending: now.pending,
        }
    }

    fn watch(&self, record: &ServiceDeployment) -> Watch {
        let Some(service) = self.service(&record.service).filter(|service| service.breaker.enable) else {
            return Watch { status: WatchStatus::Disabled, failures: 0, threshold: 0 };
        };
        Watch {
            status: WatchStatus::Monitoring,
            failures: service.deployment(&record.deployment).map_or(0, |deployment| deployment.failed_tasks),
            threshold: service.breaker.allows(service.desired_count),
        }
    }

    /// The images of a revision, with the digests that its oldest tasks resolved them to.
    pub fn revision_images(&self, revision: &ServiceRevision) -> Vec<RevisionImage> {
        if revision.images.iter().all(|image| image.digest.is_some()) {
            return revision.images.clone();
        }
        let tasks = self.live_tasks_of(&revision.service).chain(self.stopped_tasks_of(&revision.service));
        let mut found: BTreeMap<&str, (u64, &Arc<str>)> = BTreeMap::new();
        for task in tasks.filter(|task| task.deployment.as_ref() == Some(&revision.deployment)) {
            for container in &task.containers {
                let Some(digest) = &container.image_digest else { continue };
                let seen = (task.created_at_ms, digest);
                let oldest = found.entry(&container.name).or_insert(seen);
                *oldest = seen.min(*oldest);
            }
        }
        let resolved = |image: &RevisionImage| {
            let digest = found.get(&*image.container).map(|(_, digest)| Arc::clone(digest));
            RevisionImage { digest: image.digest.clone().or(digest), ..image.clone() }
        };
        revision.images.iter().map(resolved).collect()
    }
}
