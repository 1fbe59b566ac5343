//! Services whose deployments somebody else decides on: each task set is kept at its count, as if it were alone.

use super::{Plan, Planner, Wait, acts::Acts, census::Census, stop_of, tell, throttle, worth_it};
use model::{
    Deployment, DeploymentStatus, Task, TaskId,
    command::{DeploymentChange, DeploymentStep, ServiceStep},
};

impl Planner<'_> {
    pub(super) fn sets(mut self) -> Plan {
        let (service, now_ms) = (self.service, self.now_ms);
        let (mut step, mut acts, mut ids) = (self.empty_step(), Acts::default(), self.ids.clone());
        let mut plan = Plan::default();
        for set in &service.deployments {
            let throttled_until = throttle::until_ms(set).filter(|until_ms| *until_ms > now_ms);
            // Two placements of one step don't know of each other.
            let held_back = throttled_until.is_some() || !acts.starts.is_empty();
            let own = self.alone(&mut ids, set, set.desired_count, held_back);
            let quiet = own.starts.is_empty() && own.stops.is_empty();
            step.deployments.extend(self.state_of(set, quiet));
            acts.join(own);
            if let Some(until_ms) = throttled_until {
                plan.waits.push(Wait::Throttled { until_ms });
                acts.wake_at_ms = acts.wake_at_ms.into_iter().chain([until_ms]).min();
            }
        }
        self.ids = ids;
        step.starts = acts.starts;
        let stopping: Vec<&Task> =
            acts.stops.iter().filter_map(|(id, _)| self.world.task(*id)).map(|task| &**task).collect();
        step.stops =
            stopping.iter().zip(&acts.stops).map(|(task, (_, why))| (task.id, stop_of(task, *why))).collect();
        plan.stops = acts.stops;
        plan.waits.extend(acts.wait);
        plan.unplaced = acts.failures;
        plan.wake_at_ms = acts.wake_at_ms;
        self.tell(&plan, &stopping, &mut step);
        plan.step = worth_it(step);
        plan
    }

    /// One that drains goes with its last task.
    fn state_of(&self, set: &Deployment, quiet: bool) -> Option<DeploymentStep> {
        let own = set.task_set.as_ref()?;
        let census = Census::of(self.world, self.service, set, set.desired_count, self.now_ms);
        let change = match set.status {
            DeploymentStatus::Draining => census.is_empty().then_some(DeploymentChange::Remove),
            _ => {
                let stable = quiet && census.is_steady();
                (stable != own.stable).then_some(DeploymentChange::Stable(stable))
            }
        };
        change.map(|change| DeploymentStep { id: set.id.clone(), change })
    }

    fn tell(&mut self, plan: &Plan, stopping: &[&Task], step: &mut ServiceStep) {
        let (service, now_ms, ids) = (self.service, self.now_ms, &mut self.ids);
        let started: Vec<TaskId> = step.starts.iter().map(|task| task.id).collect();
        if !started.is_empty() {
            step.events.push(tell::started(ids, now_ms, service, &started));
        }
        if !stopping.is_empty() {
            step.events.push(tell::stopped(ids, now_ms, service, stopping));
        }
        if let Some(failure) = plan.unplaced.first() {
            step.events.extend(tell::once(service, tell::unplaced(ids, now_ms, service, failure)));
        }
        let settled = |set: &Deployment| {
            let steps = step.deployments.iter().filter(|step| step.id == set.id);
            let mut changed = steps.filter_map(|step| match step.change {
                DeploymentChange::Stable(stable) => Some(stable),
                DeploymentChange::Remove => Some(true),
                _ => None,
            });
            let stays = set.status != DeploymentStatus::Draining;
            changed.next_back().unwrap_or(stays && set.task_set.as_ref().is_some_and(|own| own.stable))
        };
        let steady = !service.deployments.is_empty() && service.deployments.iter().all(settled);
        if steady != service.steady {
            step.steady = Some(steady);
            step.events.extend(steady.then(|| tell::steady(ids, now_ms, service)));
        }
    }
}
