//! What changes is told as EventBridge's events (ECS developer guide, "Amazon ECS events"), put into an outbox in the
//! commit that made the change. Pure but for the ids.
//!
//! A task's and an instance's event shows it as it is after the command, and a task that the command took through
//! RUNNING as it ran, too; a service's events tell what its scheduler told, and what became of its deployments and of
//! their lifecycle hooks.

mod detail;
mod hook;
mod service;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use model::{Event, Home, Scope, Service, ServiceKey, Task, TaskId, TaskStatus, World};
use serde_json::{Value, json};

use crate::arn;

const SOURCE: &str = "aws.ecs";
pub(crate) const TASK: &str = "ECS Task State Change";
pub(crate) const INSTANCE: &str = "ECS Container Instance State Change";
pub(crate) const SERVICE: &str = "ECS Service Action";
pub(crate) const DEPLOYMENT: &str = "ECS Deployment State Change";
pub(crate) const HOOK: &str = "ECS Hook State Change";

/// Who is told of changes. It is asked within the writer's thread, so it answers from memory.
pub trait Audience: fmt::Debug + Send + Sync + 'static {
    /// Whether an event of that source and type may be wanted: asked before it is made.
    fn wants(&self, scope: &Scope, source: &str, detail_type: &str) -> bool;

    /// Whether this very event is wanted.
    fn takes(&self, scope: &Scope, event: &Value) -> bool;
}

/// Shared by the server and its writer.
pub type SharedAudience = Arc<dyn Audience>;

/// Nobody is told anything.
#[derive(Debug)]
pub struct Nobody;

impl Audience for Nobody {
    fn wants(&self, _: &Scope, _: &str, _: &str) -> bool {
        false
    }

    fn takes(&self, _: &Scope, _: &Value) -> bool {
        false
    }
}

/// Gathers what the commands of one commit announce.
pub(crate) struct Announcer<'a> {
    audience: &'a dyn Audience,
    home: &'a Scope,
    /// Before the commit.
    before: &'a World,
    now_ms: u64,
    /// Services as the commands so far left them.
    services: BTreeMap<ServiceKey, Arc<Service>>,
    messages: Vec<Vec<u8>>,
}

impl<'a> Announcer<'a> {
    pub fn new(audience: &'a dyn Audience, home: &'a Scope, before: &'a World, now_ms: u64) -> Self {
        Self { audience, home, before, now_ms, services: BTreeMap::new(), messages: Vec::new() }
    }

    /// One command's events, among all of the commit so far, and the world with them.
    pub fn note(&mut self, world: &World, so_far: &[Event], own: Range<usize>) {
        let events = &so_far[own.clone()];
        let mut tasks = Vec::new();
        let mut instances = Vec::new();
        for event in events {
            if let Some(task) = told_task(event).filter(|task| !tasks.contains(task)) {
                tasks.push(task);
            }
            if let Event::InstanceRegistered(instance) | Event::InstanceUpdated(instance) = event
                && !instances.contains(&instance.id)
            {
                instances.push(instance.id);
            }
        }
        for instance in instances.into_iter().filter_map(|id| world.instance(id)) {
            let Home::Cluster(cluster) = &instance.home else { continue };
            self.tell(&cluster.scope, INSTANCE, |announcer| {
                let detail = detail::instance(world, instance, announcer.home, announcer.now_ms);
                vec![(arn::instance(&instance.home, announcer.home, instance.id), detail)]
            });
        }
        for task in tasks.into_iter().filter_map(|id| world.task(id)) {
            self.tell(&task.cluster.scope, TASK, |announcer| {
                let ran = announcer.as_it_ran(task.id, so_far, own.start);
                let shown = ran.iter().chain([task]);
                let detail = |task: &Arc<Task>| detail::task(world, task, announcer.home, announcer.now_ms);
                shown.map(|task| (arn::task(&task.cluster, task.id), detail(task))).collect()
            });
        }
        for event in events {
            if let Event::ServiceCreated(service)
            | Event::ServiceUpdated(service)
            | Event::ServiceStepped(service) = event
            {
                self.note_service(service);
            }
        }
    }

    /// A task that the command of the events from `from` on took through RUNNING and farther, as it was when it ran:
    /// whoever waits for that would wait for ever.
    fn as_it_ran(&self, id: TaskId, so_far: &[Event], from: usize) -> Option<Arc<Task>> {
        let moves = |event: &Event| match event {
            Event::TaskMoved { task, status, .. } if *task == id => Some(*status),
            _ => None,
        };
        let runs = so_far[from..].iter().position(|event| moves(event) == Some(TaskStatus::Running))?;
        let (until, rest) = so_far.split_at(from + runs + 1);
        rest.iter().find_map(moves)?;
        let mut world = self.before.clone();
        until.iter().filter(|event| event.task() == Some(id)).for_each(|event| world.evolve(event));
        world.task(id).cloned()
    }

    fn note_service(&mut self, after: &Arc<Service>) {
        let scope = &after.key.cluster.scope;
        if ![SERVICE, DEPLOYMENT, HOOK].iter().any(|kind| self.audience.wants(scope, SOURCE, kind)) {
            return;
        }
        let known = self.services.get(&after.key).or_else(|| self.before.service(&after.key)).cloned();
        let resource = arn::service(&after.key);
        let with = |details: Vec<Value>| details.into_iter().map(|d| (resource.clone(), d)).collect();
        self.tell(scope, DEPLOYMENT, |_| with(service::deployments(known.as_deref(), after)));
        self.tell(scope, SERVICE, |_| with(service::actions(known.as_deref(), after)));
        self.tell(scope, HOOK, |announcer| hook::changes(known.as_deref(), after, announcer.now_ms));
        self.services.insert(after.key.clone(), after.clone());
    }

    /// `make`: resources with the details of their events, made only if somebody may want them.
    fn tell(&mut self, scope: &Scope, kind: &str, make: impl FnOnce(&Self) -> Vec<(String, Value)>) {
        if !self.audience.wants(scope, SOURCE, kind) {
            return;
        }
        for (resource, detail) in make(self) {
            let event = json!({
                "version": "0",
                "id": uuid::Uuid::new_v4().to_string(),
                "detail-type": kind,
                "source": SOURCE,
                "account": scope.account.as_str(),
                "time": detail::seconds(self.now_ms),
                "region": scope.region.as_str(),
                "resources": [resource],
                "detail": detail,
            });
            if self.audience.takes(scope, &event) {
                self.messages.push(json!({"about": resource, "event": event}).to_string().into_bytes());
            }
        }
    }

    /// In the order of the commands.
    pub fn into_messages(self) -> Vec<Vec<u8>> {
        self.messages
    }
}

/// The task whose state an event changed. That its agent knows of it, its tags and its protection are no state.
fn told_task(event: &Event) -> Option<model::TaskId> {
    match event {
        Event::TaskCreated(_)
        | Event::TaskDesiredStopped { .. }
        | Event::TaskMoved { .. }
        | Event::TaskConnected { .. }
        | Event::ContainerChanged { .. }
        | Event::AttachmentMoved { .. }
        | Event::TaskHealthChanged { .. } => event.task(),
        _ => None,
    }
}
