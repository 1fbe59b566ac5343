use super::Counts;
use super::daemon;
use model::{
    Deployment, DeploymentId, DesiredStatus, Health, InstanceId, InstanceStatus, RolloutState, Service, Task,
    World, apply,
};
use std::collections::BTreeSet;

/// The live tasks of a service, sorted by what a plan needs to know of them.
pub(super) struct Census<'w> {
    pub world: &'w World,
    pub service: &'w Service,
    /// Whose tasks stay.
    deployment: Option<&'w Deployment>,
    pub desired: u32,
    /// Of the PRIMARY deployment, wanted.
    pub new: Vec<&'w Task>,
    /// To be replaced, wanted until they are: of older deployments, and those on instances that
    /// drain. Of a daemon those too whose instance it has left.
    pub old: Vec<&'w Task>,
    /// Of a daemon, on instances that drain and run something else still: wanted until that is over.
    pub staying: Vec<&'w Task>,
    /// Of those in `new`, the ones whose health check failed after their grace period.
    pub unhealthy: Vec<&'w Task>,
    /// Asked to stop, not STOPPED yet; without those that were given up with their machine.
    pub leaving: Vec<&'w Task>,
    /// When the first grace period of an unhealthy task ends, if one is running.
    pub grace_ends_ms: Option<u64>,
    now_ms: u64,
}

impl<'w> Census<'w> {
    /// `members`: where a daemon's tasks belong; `None` for a service that has a count.
    pub fn take(
        world: &'w World,
        service: &'w Service,
        members: Option<&BTreeSet<InstanceId>>,
        now_ms: u64,
    ) -> Self {
        let desired = members.map_or(service.desired_count, |members| members.len() as u32);
        let tasks = world.live_tasks_of(&service.key).map(|task| &**task);
        let census = Self::empty(world, service, service.primary(), desired, now_ms);
        census.sort(members, tasks)
    }

    /// As if the service were to have nothing but tasks of that deployment.
    pub fn toward(world: &'w World, service: &'w Service, deployment: &'w Deployment, now_ms: u64) -> Self {
        let tasks = world.live_tasks_of(&service.key).map(|task| &**task);
        Self::empty(world, service, Some(deployment), service.desired_count, now_ms).sort(None, tasks)
    }

    /// Of the tasks of one deployment alone.
    pub fn of(
        world: &'w World,
        service: &'w Service,
        deployment: &'w Deployment,
        desired: u32,
        now_ms: u64,
    ) -> Self {
        let of_it = |task: &&Task| task.deployment.as_ref() == Some(&deployment.id);
        let tasks = world.live_tasks_of(&service.key).map(|task| &**task).filter(of_it);
        Self::empty(world, service, Some(deployment), desired, now_ms).sort(None, tasks)
    }

    fn empty(
        world: &'w World,
        service: &'w Service,
        deployment: Option<&'w Deployment>,
        desired: u32,
        now_ms: u64,
    ) -> Self {
        Self {
            world,
            service,
            deployment,
            desired,
            new: Vec::new(),
            old: Vec::new(),
            staying: Vec::new(),
            unhealthy: Vec::new(),
            leaving: Vec::new(),
            grace_ends_ms: None,
            now_ms,
        }
    }

    fn sort(mut self, members: Option<&BTreeSet<InstanceId>>, tasks: impl Iterator<Item = &'w Task>) -> Self {
        let world = self.world;
        let census = &mut self;
        let (now_ms, staying) = (census.now_ms, census.deployment.map(|deployment| &deployment.id));
        let grace_ms = u64::from(census.service.health_check_grace_s.unwrap_or(0)) * 1000;
        for task in tasks {
            if world.is_given_up(task) {
                continue;
            }
            if task.desired_status == DesiredStatus::Stopped {
                census.leaving.push(task);
            } else if members.is_some() && daemon::stays(world, task) {
                census.staying.push(task);
            } else if task.deployment.as_ref() != staying
                || is_on_draining(world, task)
                || members.is_some_and(|members| !members.contains(&task.instance))
            {
                census.old.push(task);
            } else {
                census.new.push(task);
                let graced_until = task.started_at_ms.map(|at_ms| at_ms + grace_ms);
                if let Some(until_ms) = graced_until.filter(|_| task.health == Health::Unhealthy) {
                    if until_ms <= now_ms {
                        census.unhealthy.push(task);
                    } else {
                        census.grace_ends_ms = census.grace_ends_ms.into_iter().chain([until_ms]).min();
                    }
                }
            }
        }
        self
    }

    pub fn wanted(&self) -> impl Iterator<Item = &'w Task> {
        self.new.iter().chain(&self.old).chain(&self.staying).copied()
    }

    /// Of those in `new`, the ones that aren't in `unhealthy`.
    pub fn good(&self) -> impl Iterator<Item = &'w Task> {
        // Both are in the order in which they were found.
        let mut unhealthy = self.unhealthy.iter().peekable();
        self.new.iter().copied().filter(move |task| unhealthy.next_if(|bad| bad.id == task.id).is_none())
    }

    /// Wanted tasks that may be stopped for another reason than their own health.
    pub fn may_stop(&self, task: &Task) -> bool {
        !task.is_protected(self.now_ms)
    }

    /// Whether a task is kept only because it is protected.
    pub fn is_held(&self) -> bool {
        let excess = self.good().count() > self.desired as usize;
        let kept = |tasks: &[&Task]| tasks.iter().any(|task| !self.may_stop(task));
        kept(&self.old) || (excess && kept(&self.new))
    }

    /// When the first protection ends.
    pub fn protection_ends_ms(&self) -> Option<u64> {
        self.wanted().filter(|task| !self.may_stop(task)).filter_map(|task| task.protected_until_ms).min()
    }

    pub fn is_empty(&self) -> bool {
        self.wanted().next().is_none() && self.leaving.is_empty()
    }

    pub fn has_tasks_of(&self, deployment: &DeploymentId) -> bool {
        self.wanted()
            .chain(self.leaving.iter().copied())
            .any(|task| task.deployment.as_ref() == Some(deployment))
    }

    /// The desired count runs, all of it healthy, and nothing else is there but what waits for others to end.
    pub fn is_steady(&self) -> bool {
        self.old.is_empty()
            && self.leaving.is_empty()
            && self.new.len() == self.desired as usize
            && self.new.iter().all(|task| task.is_healthy())
    }

    /// When the next of the new tasks that run comes to hold, while the circuit breaker watches the deployment.
    pub fn holds_later_ms(&self) -> Option<u64> {
        self.unproven().min()
    }

    /// From when on they hold.
    pub fn unproven(&self) -> impl Iterator<Item = u64> {
        let in_progress = |primary: &Deployment| primary.rollout_state == RolloutState::InProgress;
        let watched = self.service.breaker.enable && self.deployment.is_some_and(in_progress);
        let healthy = self.good().filter(move |task| watched && task.is_healthy());
        healthy.filter_map(apply::holds_from_ms).filter(|at_ms| *at_ms > self.now_ms)
    }

    pub fn counts(&self, held_back: bool) -> Counts {
        let count = |tasks: usize| tasks as u32;
        let healthy = |tasks: &[&Task]| count(tasks.iter().filter(|task| task.is_healthy()).count());
        let kept: Vec<&Task> = self.good().filter(|task| !self.may_stop(task)).collect();
        let kept_old: Vec<&Task> = self.old.iter().copied().filter(|task| !self.may_stop(task)).collect();
        Counts {
            desired: self.desired,
            minimum_percent: self.service.minimum_healthy_percent,
            maximum_percent: self.service.maximum_percent,
            new: count(self.new.len() - self.unhealthy.len()),
            new_healthy: healthy(&self.new),
            new_unproven: count(self.unproven().count()),
            unhealthy: count(self.unhealthy.len()),
            old: count(self.old.len()),
            old_healthy: healthy(&self.old),
            kept_new: count(kept.len()),
            kept_new_healthy: healthy(&kept),
            kept_old: count(kept_old.len()),
            kept_old_healthy: healthy(&kept_old),
            leaving: count(self.leaving.len()),
            held_back,
            no_room_for: 0,
        }
    }
}

/// The agent of a draining instance still runs the task, but no longer (ECS API reference,
/// UpdateContainerInstancesState).
pub(super) fn is_on_draining(world: &World, task: &Task) -> bool {
    world.instance(task.instance).is_some_and(|instance| instance.status == InstanceStatus::Draining)
}
