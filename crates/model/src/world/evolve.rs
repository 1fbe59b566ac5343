//! Taking events in. It decides nothing and refuses nothing: an event about something unknown is
//! passed over.

use super::{TaskCounts, Usage, World};
use crate::{entity::*, event::Event, ids::TaskId, key::ClusterKey};
use std::sync::Arc;

impl World {
    pub fn evolve(&mut self, event: &Event) {
        match event {
            Event::ClusterCreated(cluster)
            | Event::ClusterUpdated(cluster)
            | Event::ClusterDeleted(cluster) => {
                self.put_cluster(cluster.clone());
            }
            Event::ClusterForgotten(key) => {
                self.clusters.remove(key);
            }
            Event::DefinitionRegistered(definition) => {
                self.count_revision(definition);
                self.put_definition(definition.clone());
            }
            Event::DefinitionUpdated(definition) => self.put_definition(definition.clone()),
            Event::DefinitionForgotten(key) => {
                self.definitions.remove(key);
            }
            Event::InstanceRegistered(instance) | Event::InstanceUpdated(instance) => {
                self.put_instance(instance.clone());
            }
            Event::InstanceForgotten { home, id } => {
                self.instances.remove(id);
                self.instances_at.remove(home, id);
            }
            Event::TaskCreated(task) => self.put_task(task.clone()),
            Event::TaskForgotten { task, .. } => self.remove_task(*task),
            Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) => {
                self.put_service(service.clone());
            }
            Event::ServiceForgotten(key) => {
                self.services.remove(key);
                self.daemons.remove(key);
            }
            Event::ServiceDeploymentRecorded(record) => self.put_service_deployment(record.clone()),
            Event::ServiceDeploymentForgotten(key, number) => {
                self.service_deployments.remove(&(key.clone(), *number));
            }
            Event::ServiceRevisionRecorded(revision) => self.put_service_revision(revision.clone()),
            Event::ServiceRevisionForgotten(key, number) => {
                self.service_revisions.remove(&(key.clone(), *number));
            }
            Event::AccountSettingPut(setting) => self.put_account_setting(setting.clone()),
            Event::AccountSettingDeleted(key) => {
                self.account_settings.remove(key);
            }
            Event::JoinTokenRecorded(token) => self.put_join_token(token.clone()),
            Event::JoinTokenForgotten(_, id) => {
                self.join_tokens.remove(id);
            }
            Event::InstanceKeyMade(key) => self.put_instance_key(key.clone()),
            Event::InstanceKeyEnded(_, id) => self.remove_instance_key(id),
            Event::TokenRecorded(token) => self.put_token(token.clone()),
            Event::TokenForgotten(key) => {
                if let Some(token) = self.tokens.remove(key) {
                    self.token_ends.remove(&(token.expires_at_ms, key.clone()));
                }
            }
            Event::TaskDesiredStopped { .. }
            | Event::TaskMoved { .. }
            | Event::TaskConnected { .. }
            | Event::TaskAcknowledged { .. }
            | Event::TaskTimed { .. }
            | Event::ContainerChanged { .. }
            | Event::AttachmentMoved { .. }
            | Event::TaskHealthChanged { .. }
            | Event::TaskProtected { .. }
            | Event::TaskTagged { .. }
            | Event::TaskRunChanged { .. } => self.change_task(event),
        }
    }

    pub(crate) fn put_cluster(&mut self, cluster: Arc<Cluster>) {
        self.clusters.insert(cluster.key.clone(), cluster);
    }

    pub(crate) fn put_family(&mut self, family: Arc<FamilyRecord>) {
        self.families.insert((family.scope.clone(), family.name.clone()), family);
    }

    pub(crate) fn put_definition(&mut self, definition: Arc<TaskDefinition>) {
        self.definitions.insert(definition.key.clone(), definition);
    }

    pub(crate) fn put_instance(&mut self, instance: Arc<ContainerInstance>) {
        self.instances_at.insert(instance.home.clone(), instance.id);
        self.instances.insert(instance.id, instance);
    }

    pub(crate) fn put_service(&mut self, service: Arc<Service>) {
        let is_daemon =
            service.scheduling == SchedulingStrategy::Daemon && service.status == ServiceStatus::Active;
        match is_daemon {
            true => drop(self.daemons.insert(service.key.clone())),
            false => drop(self.daemons.remove(&service.key)),
        }
        self.services.insert(service.key.clone(), service);
    }

    pub(crate) fn put_service_deployment(&mut self, record: Arc<ServiceDeployment>) {
        self.service_deployments.insert((record.service.clone(), record.number), record);
    }

    pub(crate) fn put_service_revision(&mut self, revision: Arc<ServiceRevision>) {
        self.service_revisions.insert((revision.service.clone(), revision.number), revision);
    }

    pub(crate) fn put_account_setting(&mut self, setting: Arc<AccountSetting>) {
        self.account_settings.insert(setting.key.clone(), setting);
    }

    pub(crate) fn put_token(&mut self, token: Arc<ClientToken>) {
        self.token_ends.insert((token.expires_at_ms, token.key.clone()));
        self.tokens.insert(token.key.clone(), token);
    }

    pub(crate) fn put_task(&mut self, task: Arc<Task>) {
        if let Some(old) = self.tasks.insert(task.id, task.clone()) {
            self.unindex(&old);
        }
        self.index(&task);
    }

    fn count_revision(&mut self, definition: &TaskDefinition) {
        let key = &definition.key;
        self.put_family(Arc::new(FamilyRecord {
            scope: key.scope.clone(),
            name: key.family.clone(),
            last_revision: key.revision,
        }));
    }

    fn remove_task(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.remove(&id) {
            self.unindex(&task);
        }
    }

    fn change_task(&mut self, event: &Event) {
        let Some(slot) = event.task().and_then(|id| self.tasks.get_mut(&id)) else { return };
        let before = Place::of(slot);
        // In place, unless somebody else holds this very version of it.
        let task = Arc::make_mut(slot);
        task.version += 1;
        record(task, event);
        let after = Place::of(task);
        if before != after {
            let task = slot.clone();
            self.move_task(&task, before, after);
        }
    }

    /// Moves the task within those indexes whose keys the change touched.
    fn move_task(&mut self, task: &Task, before: Place, after: Place) {
        if before.desired_status != after.desired_status {
            self.tasks_in.remove(&(task.cluster.clone(), before.desired_status), &task.id);
            self.tasks_in.insert((task.cluster.clone(), after.desired_status), task.id);
        }
        if before.is_live != after.is_live
            && let Some(service) = task.service_key()
        {
            self.tasks_of_service.remove(&(service.clone(), before.is_live), &task.id);
            self.tasks_of_service.insert((service, after.is_live), task.id);
        }
        if before.is_wanted != after.is_wanted
            && let Some(group) = &task.group
        {
            self.groups.count(task, group, after.is_wanted);
        }
        match (before.awaits_agent, after.awaits_agent) {
            (false, true) => self.awaiting_agent.insert(task.instance, task.id),
            (true, false) => self.awaiting_agent.remove(&task.instance, &task.id),
            _ => {}
        }
        if before.stopped_at_ms != after.stopped_at_ms {
            before.stopped_at_ms.and_then(|at_ms| self.stopped.remove(&(at_ms, task.id)));
            after.stopped_at_ms.and_then(|at_ms| self.stopped.insert((at_ms, task.id)));
        }
        if before.deadline_ms != after.deadline_ms {
            before.deadline_ms.and_then(|at_ms| self.deadlines.remove(&(at_ms, task.id)));
            after.deadline_ms.and_then(|at_ms| self.deadlines.insert((at_ms, task.id)));
        }
        if before.retry_at_ms != after.retry_at_ms {
            before.retry_at_ms.and_then(|at_ms| self.retries.remove(&(at_ms, task.id)));
            after.retry_at_ms.and_then(|at_ms| self.retries.insert((at_ms, task.id)));
        }
        match (before.is_live, after.is_live) {
            (true, true) if before.last_status != after.last_status => {
                let tasks = &mut self.usage.entry(task.instance).or_default().tasks;
                tasks.count(before.last_status, false);
                tasks.count(after.last_status, true);
            }
            (true, false) => self.release(task, before.last_status),
            (false, true) => self.usage.entry(task.instance).or_default().hold(task),
            _ => {}
        }
        if before.last_status != after.last_status {
            self.count_in_cluster(&task.cluster, Some(before.last_status), Some(after.last_status));
        }
    }

    /// What a live task holds is free again; an instance that holds nothing has no entry.
    fn release(&mut self, task: &Task, last_status: TaskStatus) {
        let usage = self.usage.entry(task.instance).or_default();
        usage.release(task, last_status);
        if *usage == Usage::default() {
            self.usage.remove(&task.instance);
        }
    }

    fn index(&mut self, task: &Task) {
        let cluster = &task.cluster;
        self.tasks_in.insert((cluster.clone(), task.desired_status), task.id);
        self.tasks_on.insert(task.instance, task.id);
        self.tasks_of_family.insert((cluster.clone(), task.definition.family.clone()), task.id);
        if let Some(service) = task.service_key() {
            self.tasks_of_service.insert((service, task.is_live()), task.id);
        }
        if let Some(group) = task.group.as_ref().filter(|_| task.is_wanted()) {
            self.groups.count(task, group, true);
        }
        if let Some(by) = &task.started_by {
            self.tasks_started_by.insert((cluster.clone(), by.clone()), task.id);
        }
        if task.awaits_agent() {
            self.awaiting_agent.insert(task.instance, task.id);
        }
        if let Some(eni) = &task.eni {
            self.tasks_with_attachment.insert(eni.attachment_id, task.id);
        }
        if let Some(at_ms) = task.stopped_at_ms {
            self.stopped.insert((at_ms, task.id));
        }
        task.deadline_ms().and_then(|at_ms| self.deadlines.insert((at_ms, task.id)));
        task.retry_at_ms().and_then(|at_ms| self.retries.insert((at_ms, task.id)));
        if task.is_live() {
            self.usage.entry(task.instance).or_default().hold(task);
        }
        self.count_in_cluster(cluster, None, Some(task.last_status));
    }

    fn unindex(&mut self, task: &Task) {
        let cluster = &task.cluster;
        self.tasks_in.remove(&(cluster.clone(), task.desired_status), &task.id);
        self.tasks_on.remove(&task.instance, &task.id);
        self.tasks_of_family.remove(&(cluster.clone(), task.definition.family.clone()), &task.id);
        if let Some(service) = task.service_key() {
            self.tasks_of_service.remove(&(service, task.is_live()), &task.id);
        }
        if let Some(group) = task.group.as_ref().filter(|_| task.is_wanted()) {
            self.groups.count(task, group, false);
        }
        if let Some(by) = &task.started_by {
            self.tasks_started_by.remove(&(cluster.clone(), by.clone()), &task.id);
        }
        self.awaiting_agent.remove(&task.instance, &task.id);
        if let Some(eni) = &task.eni {
            self.tasks_with_attachment.remove(&eni.attachment_id);
        }
        if let Some(at_ms) = task.stopped_at_ms {
            self.stopped.remove(&(at_ms, task.id));
        }
        task.deadline_ms().and_then(|at_ms| self.deadlines.remove(&(at_ms, task.id)));
        task.retry_at_ms().and_then(|at_ms| self.retries.remove(&(at_ms, task.id)));
        if task.is_live() {
            self.release(task, task.last_status);
        }
        self.count_in_cluster(cluster, Some(task.last_status), None);
    }

    /// A cluster without tasks to count has no entry.
    fn count_in_cluster(
        &mut self,
        cluster: &ClusterKey,
        leaves: Option<TaskStatus>,
        enters: Option<TaskStatus>,
    ) {
        let mut counts = self.cluster_tasks.get(cluster).copied().unwrap_or_default();
        leaves.into_iter().for_each(|status| counts.count(status, false));
        enters.into_iter().for_each(|status| counts.count(status, true));
        match counts == TaskCounts::default() {
            true => self.cluster_tasks.remove(cluster),
            false => self.cluster_tasks.insert(cluster.clone(), counts),
        };
    }
}

/// What decides where a task stands in the indexes, of all that can change in it.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    desired_status: DesiredStatus,
    last_status: TaskStatus,
    is_live: bool,
    is_wanted: bool,
    awaits_agent: bool,
    stopped_at_ms: Option<u64>,
    deadline_ms: Option<u64>,
    retry_at_ms: Option<u64>,
}

impl Place {
    fn of(task: &Task) -> Self {
        Self {
            desired_status: task.desired_status,
            last_status: task.last_status,
            is_live: task.is_live(),
            is_wanted: task.is_wanted(),
            awaits_agent: task.awaits_agent(),
            stopped_at_ms: task.stopped_at_ms,
            deadline_ms: task.deadline_ms(),
            retry_at_ms: task.retry_at_ms(),
        }
    }
}

/// Writes an event into the task that it is about.
fn record(task: &mut Task, event: &Event) {
    match event {
        Event::TaskDesiredStopped { stop, .. } => {
            task.desired_status = DesiredStatus::Stopped;
            task.stop = Some(stop.clone());
        }
        Event::TaskMoved { status, at_ms, .. } => {
            task.last_status = *status;
            let stamp = match status {
                TaskStatus::Running => &mut task.started_at_ms,
                TaskStatus::Deactivating | TaskStatus::Stopping | TaskStatus::Deprovisioning => {
                    &mut task.stopping_at_ms
                }
                TaskStatus::Stopped => &mut task.stopped_at_ms,
                _ => return,
            };
            stamp.get_or_insert(*at_ms);
        }
        Event::TaskConnected { at_ms, .. } => {
            task.connectivity = Connectivity::Connected;
            task.connectivity_at_ms = Some(*at_ms);
        }
        Event::TaskAcknowledged { desired, .. } => task.acknowledged = Some(*desired),
        Event::TaskTimed { times, .. } => {
            task.pull_started_at_ms = task.pull_started_at_ms.or(times.pull_started_at_ms);
            task.pull_stopped_at_ms = task.pull_stopped_at_ms.or(times.pull_stopped_at_ms);
            task.execution_stopped_at_ms = task.execution_stopped_at_ms.or(times.execution_stopped_at_ms);
        }
        Event::ContainerChanged { index, container, .. } => {
            if let Some(slot) = task.containers.get_mut(*index) {
                *slot = container.clone();
            }
        }
        Event::AttachmentMoved { status, .. } => {
            if let Some(eni) = &mut task.eni {
                eni.status = *status;
            }
        }
        Event::TaskHealthChanged { health, .. } => task.health = *health,
        Event::TaskProtected { until_ms, .. } => task.protected_until_ms = *until_ms,
        Event::TaskTagged { tags, .. } => task.tags = tags.clone(),
        Event::TaskRunChanged { run, .. } => task.run = Some(run.clone()),
        _ => {}
    }
}
