//! What readers ask. Lists are in the order of their ids, so that a page can begin where the last
//! one ended.

use super::{GroupTasks, TaskCounts, Usage, World};
use crate::{entity::*, ids::*, key::*};
use std::sync::Arc;

/// The counts that DescribeClusters gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterCounts {
    pub registered_instances: usize,
    pub running_tasks: usize,
    pub pending_tasks: usize,
    /// ACTIVE ones.
    pub active_services: usize,
}

/// The counts of one deployment, or of all of a service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeploymentCounts {
    pub pending: u32,
    pub running: u32,
}

impl World {
    /// ACTIVE or not.
    pub fn cluster(&self, key: &ClusterKey) -> Option<&Arc<Cluster>> {
        self.clusters.get(key)
    }

    pub fn active_cluster(&self, key: &ClusterKey) -> Option<&Arc<Cluster>> {
        self.cluster(key).filter(|cluster| cluster.status == ClusterStatus::Active)
    }

    /// Of one account and region, by name; ACTIVE or not.
    pub fn clusters(&self, scope: &Scope) -> impl Iterator<Item = &Arc<Cluster>> {
        let from = scope.cluster("");
        self.clusters.range(from..).map(|(_, cluster)| cluster).take_while(move |c| c.key.scope == *scope)
    }

    pub fn all_clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.values()
    }

    pub fn cluster_counts(&self, key: &ClusterKey) -> ClusterCounts {
        let tasks = self.cluster_tasks.get(key).copied().unwrap_or_default();
        ClusterCounts {
            registered_instances: self
                .instances(&Home::Cluster(key.clone()))
                .filter(|instance| instance.status != InstanceStatus::Inactive)
                .count(),
            running_tasks: tasks.running,
            pending_tasks: tasks.pending,
            active_services: self.services(key).filter(|s| s.status == ServiceStatus::Active).count(),
        }
    }

    pub fn family(&self, scope: &Scope, family: &Family) -> Option<&Arc<FamilyRecord>> {
        self.families.get(&(scope.clone(), family.clone()))
    }

    /// Of one account and region, by name.
    pub fn families(&self, scope: &Scope) -> impl Iterator<Item = &Arc<FamilyRecord>> {
        let from = (scope.clone(), Family::from(""));
        self.families.range(from..).map(|(_, family)| family).take_while(move |f| f.scope == *scope)
    }

    pub fn definition(&self, key: &DefinitionKey) -> Option<&Arc<TaskDefinition>> {
        self.definitions.get(key)
    }

    /// The newest ACTIVE revision: what a family's bare name means.
    pub fn latest_definition(&self, scope: &Scope, family: &Family) -> Option<&Arc<TaskDefinition>> {
        let key = |revision| DefinitionKey { scope: scope.clone(), family: family.clone(), revision };
        self.definitions
            .range(key(Revision(0))..=key(Revision(u32::MAX)))
            .rev()
            .map(|(_, definition)| definition)
            .find(|definition| definition.status == DefinitionStatus::Active)
    }

    /// Of one account and region, by family, then revision; of every status.
    pub fn definitions(&self, scope: &Scope) -> impl DoubleEndedIterator<Item = &Arc<TaskDefinition>> {
        // No region sorts between this scope's last key and the first key of the next region.
        let next =
            Scope { account: scope.account.clone(), region: Region::from(format!("{}\0", scope.region)) };
        self.definitions
            .range(scope.definition("", 0)..next.definition("", 0))
            .map(|(_, definition)| definition)
    }

    pub fn all_definitions(&self) -> impl Iterator<Item = &Arc<TaskDefinition>> {
        self.definitions.values()
    }

    /// Whether tasks (stopped ones that are still remembered too) or deployments refer to it, that which a service
    /// may be rolled back to included.
    pub fn is_definition_used(&self, key: &DefinitionKey) -> bool {
        let definition = DefinitionRef::from(key);
        let clusters = || self.clusters(&key.scope).map(|cluster| &cluster.key);
        clusters().any(|cluster| {
            let runs = self.tasks_of_family(cluster, &key.family).any(|task| task.definition == definition);
            let deploys = |service: &Arc<Service>| {
                service
                    .deployments
                    .iter()
                    .chain(service.completed.as_deref())
                    .any(|d| d.definition == definition)
            };
            runs || self.services(cluster).any(deploys)
        })
    }

    pub fn instance(&self, id: InstanceId) -> Option<&Arc<ContainerInstance>> {
        self.instances.get(&id)
    }

    /// Every status included.
    pub fn instances(&self, home: &Home) -> impl Iterator<Item = &Arc<ContainerInstance>> {
        self.instances_at.of(home).filter_map(|id| self.instances.get(id))
    }

    pub fn all_instances(&self) -> impl Iterator<Item = &Arc<ContainerInstance>> {
        self.instances.values()
    }

    /// Whether the task was given up with its machine: nobody will say what becomes of it unless that comes back.
    pub fn is_given_up(&self, task: &Task) -> bool {
        task.is_live()
            && task.desired_status == DesiredStatus::Stopped
            && self.instance(task.instance).is_some_and(|instance| instance.lost)
    }

    /// What the instance's live tasks hold; `None` when it has none.
    pub fn usage(&self, id: InstanceId) -> Option<&Usage> {
        self.usage.get(&id)
    }

    pub fn instance_task_counts(&self, id: InstanceId) -> TaskCounts {
        self.usage(id).map(|usage| usage.tasks).unwrap_or_default()
    }

    /// What is left for new tasks. Negative where the instance came back smaller.
    pub fn remaining(&self, instance: &ContainerInstance) -> Size {
        instance.total - self.usage(instance.id).map(|usage| usage.size).unwrap_or_default()
    }

    /// The GPUs that no task has, in the order in which the instance named them.
    pub fn free_gpus<'w>(&'w self, instance: &'w ContainerInstance) -> impl Iterator<Item = &'w Arc<str>> {
        Usage::free_gpus(self.usage(instance.id), instance)
    }

    /// A task by its id alone.
    pub fn task(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.tasks.get(&id)
    }

    /// A task, if it is in that cluster.
    pub fn task_in(&self, cluster: &ClusterKey, id: TaskId) -> Option<&Arc<Task>> {
        self.task(id).filter(|task| task.cluster == *cluster)
    }

    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    pub fn all_tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.values()
    }

    pub fn tasks(&self, cluster: &ClusterKey, desired: DesiredStatus) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_in.of(&(cluster.clone(), desired)).filter_map(|id| self.tasks.get(id))
    }

    /// Stopped ones included.
    pub fn tasks_on(&self, instance: InstanceId) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_on.of(&instance).filter_map(|id| self.tasks.get(id))
    }

    /// Not STOPPED yet.
    pub fn live_tasks_on(&self, instance: InstanceId) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_on(instance).filter(|task| task.is_live())
    }

    /// Tasks whose agent must still be told their desired status.
    pub fn awaiting_agent(&self, instance: InstanceId) -> impl Iterator<Item = &Arc<Task>> {
        self.awaiting_agent.of(&instance).filter_map(|id| self.tasks.get(id))
    }

    pub fn tasks_of_family(&self, cluster: &ClusterKey, family: &Family) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_of_family.of(&(cluster.clone(), family.clone())).filter_map(|id| self.tasks.get(id))
    }

    /// Where the tasks of a group are that are to run, and aren't STOPPED; `None` when it has none.
    pub fn group_tasks(&self, cluster: &ClusterKey, group: &Group) -> Option<&GroupTasks> {
        self.groups.of(cluster, group)
    }

    /// Whether the instance has one of them.
    pub fn has_of_group(&self, id: InstanceId, cluster: &ClusterKey, group: &Group) -> bool {
        self.group_tasks(cluster, group).is_some_and(|tasks| tasks.on(id).next().is_some())
    }

    pub fn task_with_attachment(&self, attachment: Uuid) -> Option<&Arc<Task>> {
        self.tasks_with_attachment.get(&attachment).and_then(|id| self.tasks.get(id))
    }

    /// Not STOPPED yet.
    pub fn live_tasks_of(&self, service: &ServiceKey) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_of_service.of(&(service.clone(), true)).filter_map(|id| self.tasks.get(id))
    }

    pub fn stopped_tasks_of(&self, service: &ServiceKey) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks_of_service.of(&(service.clone(), false)).filter_map(|id| self.tasks.get(id))
    }

    /// Tasks that stopped at or before `until_ms`, the longest ago first.
    pub fn tasks_stopped_until(&self, until_ms: u64) -> impl Iterator<Item = TaskId> {
        self.stopped.range(..=(until_ms, TaskId(u128::MAX))).map(|(_, id)| *id)
    }

    /// When the tasks that have a deadline come to it, the first first.
    pub fn deadlines(&self) -> impl Iterator<Item = (u64, TaskId)> {
        self.deadlines.iter().copied()
    }

    /// Stopped tasks of which another attempt is to be made, and from when on, the first first.
    pub fn retries(&self) -> impl Iterator<Item = (u64, TaskId)> {
        self.retries.iter().copied()
    }

    /// ACTIVE, DRAINING or INACTIVE.
    pub fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key)
    }

    /// Of one cluster, by name; of every status.
    pub fn services(&self, cluster: &ClusterKey) -> impl Iterator<Item = &Arc<Service>> {
        self.services
            .range(cluster.service("")..)
            .map(|(_, service)| service)
            .take_while(move |service| service.key.cluster == *cluster)
    }

    /// The ACTIVE ones of a cluster that have a task on each instance, by name.
    pub fn daemons(&self, cluster: &ClusterKey) -> impl Iterator<Item = &Arc<Service>> {
        let of_cluster =
            self.daemons.range(cluster.service("")..).take_while(move |key| key.cluster == *cluster);
        of_cluster.filter_map(|key| self.services.get(key))
    }

    pub fn all_services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// Of one deployment, or of all of the service's tasks.
    pub fn deployment_counts(
        &self,
        service: &ServiceKey,
        deployment: Option<&DeploymentId>,
    ) -> DeploymentCounts {
        let mut counts = DeploymentCounts::default();
        for task in self.live_tasks_of(service) {
            if deployment.is_some() && task.deployment.as_ref() != deployment {
                continue;
            }
            match task.last_status {
                status if status < TaskStatus::Running => counts.pending += 1,
                TaskStatus::Running => counts.running += 1,
                _ => {}
            }
        }
        counts
    }

    pub fn account_setting(&self, key: &SettingKey) -> Option<&Arc<AccountSetting>> {
        self.account_settings.get(key)
    }

    /// An unexpired one.
    pub fn token(&self, key: &TokenKey, now_ms: u64) -> Option<&Arc<ClientToken>> {
        self.tokens.get(key).filter(|token| token.expires_at_ms > now_ms)
    }

    /// The first to expire first.
    pub fn tokens_expired(&self, now_ms: u64) -> impl Iterator<Item = &TokenKey> {
        self.token_ends.iter().take_while(move |(at_ms, _)| *at_ms <= now_ms).map(|(_, key)| key)
    }
}
