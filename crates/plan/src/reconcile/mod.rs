//! What should run: one service compared with its tasks, and the next step to bring them together.

mod acts;
mod breaker;
mod census;
mod daemon;
mod order;
mod pick;
mod rolling;
mod sets;
mod stages;
mod start;
mod tell;
mod throttle;
mod wake;

pub use rolling::{Counts, Moves, Wait, moves};
pub(crate) use stages::rests_until;
pub use throttle::delay_ms;
pub use wake::concerned;

use crate::{
    Ids,
    schedule::{self, Memory},
};
use census::Census;
use model::{
    ControllerType, Deployment, InstanceId, RolloutState, Service, ServiceKey, ServiceStatus, Stop, StopCode,
    Task, TaskId, World,
    apply::completed_reason,
    command::{DeploymentChange, DeploymentStep, ServiceStep},
};
use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

/// How long until a task that had no place is tried again, if nothing else wakes the service.
pub const PLACE_AGAIN_MS: u64 = 2_000;

/// Most tasks started in one step: bounds how long one service's commit keeps the writer from all
/// others. The commit of a step wakes the service again, so what is left starts with the next.
pub const STARTS_PER_STEP: u32 = 100;

/// Why a task is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// More of the PRIMARY deployment than desired; of a daemon, on an instance that is none of its own any more.
    ScaleIn,
    /// Of an older deployment, or on an instance that drains.
    Superseded,
    /// Its health check says so.
    Unhealthy,
    /// The service is being deleted.
    Draining,
}

/// The next step for a service, in named buckets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// To be applied as it is; `None` when nothing is to be done now.
    pub step: Option<ServiceStep>,
    /// What starts, by instance, is in the step; here is what stops and why.
    pub stops: Vec<(TaskId, StopReason)>,
    pub unplaced: Vec<schedule::Failure>,
    /// What the plan waits for.
    pub waits: Vec<Wait>,
    /// Look again then even if no commit wakes the service (milliseconds since the epoch).
    pub wake_at_ms: Option<u64>,
}

/// The next step for the service; `None` when there is no such service, it is INACTIVE, or its
/// tasks aren't ours to decide (the controller CODE_DEPLOY).
pub fn service(world: &World, key: &ServiceKey, now_ms: u64, seed: u128) -> Option<Plan> {
    remembering(&mut Memory::default(), world, key, now_ms, seed)
}

/// The same, by who looks at one service after the other.
pub fn remembering(
    memory: &mut Memory,
    world: &World,
    key: &ServiceKey,
    now_ms: u64,
    seed: u128,
) -> Option<Plan> {
    let service = world.service(key)?;
    let ours = service.controller == ControllerType::Ecs;
    let members = daemon::members(world, service);
    let planner = Planner {
        world,
        service,
        census: Census::take(world, service, members.as_ref(), now_ms),
        members,
        now_ms,
        ids: Ids::new(seed),
        seed,
        memory: RefCell::new(memory),
    };
    match service.status {
        ServiceStatus::Inactive => None,
        ServiceStatus::Draining => Some(planner.drain()),
        ServiceStatus::Active if service.controller == ControllerType::External => Some(planner.sets()),
        ServiceStatus::Active => service.primary().filter(|_| ours).map(|primary| planner.roll(primary)),
    }
}

struct Planner<'w> {
    world: &'w World,
    service: &'w Service,
    census: Census<'w>,
    /// Where a daemon's tasks belong; `None` for a service that has a count.
    members: Option<BTreeSet<InstanceId>>,
    now_ms: u64,
    ids: Ids,
    seed: u128,
    memory: RefCell<&'w mut Memory>,
}

impl<'w> Planner<'w> {
    fn drain(mut self) -> Plan {
        let wanted: Vec<&Task> = self.census.wanted().collect();
        let mut step = self.empty_step();
        let stops: Vec<_> = wanted.iter().map(|task| (task.id, StopReason::Draining)).collect();
        if !wanted.is_empty() {
            step.events.push(tell::stopped(&mut self.ids, self.now_ms, self.service, &wanted));
        }
        step.stops = wanted.iter().map(|task| (task.id, stop_of(task, StopReason::Draining))).collect();
        step.inactive = self.census.is_empty();
        Plan { step: worth_it(step), stops, ..Plan::default() }
    }

    fn roll(mut self, primary: &Deployment) -> Plan {
        let (service, now_ms) = (self.service, self.now_ms);
        if let Some(why) = breaker::why(self.world, service, primary, now_ms) {
            return self.give_up(primary, why);
        }
        let mut plan = Plan::default();
        let mut step = self.empty_step();
        step.deployments.extend(breaker::begin(self.world, service, primary));

        let failed = primary.rollout_state == RolloutState::Failed;
        let throttled_until = throttle::until_ms(primary).filter(|until_ms| !failed && *until_ms > now_ms);
        let held_back = failed || throttled_until.is_some();
        let mut ids = self.ids.clone();
        let acts = self.acts(&mut ids, primary, held_back);
        self.ids = ids;
        plan.wake_at_ms = acts.wake_at_ms;
        step.starts = acts.starts;
        plan.stops = acts.stops;
        let stopping: Vec<&Task> =
            plan.stops.iter().filter_map(|(id, _)| self.world.task(*id)).map(|task| &**task).collect();
        step.stops =
            stopping.iter().zip(&plan.stops).map(|(task, (_, why))| (task.id, stop_of(task, *why))).collect();

        if let Some(until_ms) = throttled_until {
            plan.waits.push(Wait::Throttled { until_ms });
            plan.wake_at_ms = plan.wake_at_ms.into_iter().chain([until_ms]).min();
        }
        plan.waits.extend(acts.wait);
        if self.census.is_held() && !stages::side_by_side(primary) {
            plan.waits.push(Wait::Protected);
            plan.wake_at_ms = plan.wake_at_ms.into_iter().chain(self.census.protection_ends_ms()).min();
        }
        plan.unplaced = acts.failures;

        self.deployments(primary, &plan.stops, &mut step);
        let staged = self.stage(primary, &mut step);
        plan.wake_at_ms = plan.wake_at_ms.into_iter().chain(staged).min();
        plan.wake_at_ms = plan.wake_at_ms.into_iter().chain(self.census.holds_later_ms()).min();
        self.events(primary, &plan, &stopping, &mut step);
        plan.step = worth_it(step);
        plan
    }

    /// What is left of the deployment is replaced with the next steps: those of where it is rolled back to. Without
    /// such a one the service stays as it is.
    fn give_up(mut self, primary: &Deployment, why: breaker::Why) -> Plan {
        let back_to = breaker::back_to(self.service, primary, why);
        let mut step = self.empty_step();
        step.deployments = breaker::steps(primary, why, back_to);
        step.events.push(match why {
            breaker::Why::Failed => tell::failed(&mut self.ids, self.now_ms, self.service, primary),
            breaker::Why::Hook => tell::refused(&mut self.ids, self.now_ms, self.service, primary),
            breaker::Why::RollBack | breaker::Why::Abort => {
                tell::given_up(&mut self.ids, self.now_ms, self.service, primary)
            }
        });
        let rolling_back = back_to.map(|to| tell::rolling_back(&mut self.ids, self.now_ms, self.service, to));
        step.events.extend(rolling_back);
        Plan { step: Some(step), ..Plan::default() }
    }

    /// Older deployments go when their tasks have gone; the PRIMARY one completes when all is as
    /// desired, and holds where a circuit breaker watches.
    fn deployments(&self, primary: &Deployment, stops: &[(TaskId, StopReason)], step: &mut ServiceStep) {
        if self.members.is_some() && self.census.desired != primary.desired_count {
            let change = DeploymentChange::Desired(self.census.desired);
            step.deployments.push(DeploymentStep { id: primary.id.clone(), change });
        }
        let its = |id: TaskId| {
            self.world.task(id).is_some_and(|task| task.deployment.as_ref() == Some(&primary.id))
        };
        let unhealthy = stops.iter().filter(|(id, why)| *why == StopReason::Unhealthy && its(*id));
        let unhealthy = unhealthy.count() as u32;
        if unhealthy > 0 && primary.rollout_state == RolloutState::InProgress {
            step.deployments
                .push(DeploymentStep { id: primary.id.clone(), change: DeploymentChange::Failed(unhealthy) });
        }
        for old in self.service.deployments.iter().filter(|deployment| deployment.id != primary.id) {
            if !self.census.has_tasks_of(&old.id) && !stages::is_kept(primary, &old.id) {
                step.deployments
                    .push(DeploymentStep { id: old.id.clone(), change: DeploymentChange::Remove });
            }
        }
        let steady = self.census.is_steady() && step.starts.is_empty() && step.stops.is_empty();
        if steady != self.service.steady {
            step.steady = Some(steady);
        }
        let holds = self.census.holds_later_ms().is_none();
        let last = stages::may_complete(primary);
        if steady && holds && last && primary.rollout_state == RolloutState::InProgress {
            step.deployments.push(DeploymentStep {
                id: primary.id.clone(),
                change: DeploymentChange::Rollout(RolloutState::Completed, completed_reason(&primary.id)),
            });
        }
    }

    fn events(&mut self, primary: &Deployment, plan: &Plan, stopping: &[&Task], step: &mut ServiceStep) {
        let (service, now_ms, ids) = (self.service, self.now_ms, &mut self.ids);
        let mut told = Vec::new();
        // A service keeps so many events only: of many unhealthy tasks the first are named.
        for task in self.census.unhealthy.iter().take(tell::TASKS_NAMED) {
            told.extend(tell::once(service, tell::unhealthy(ids, now_ms, service, task)));
        }
        if !step.starts.is_empty() {
            let started: Vec<TaskId> = step.starts.iter().map(|task| task.id).collect();
            told.push(tell::started(ids, now_ms, service, &started));
        }
        if !stopping.is_empty() {
            told.push(tell::stopped(ids, now_ms, service, stopping));
        }
        if let Some(failure) = plan.unplaced.first() {
            told.extend(tell::once(service, tell::unplaced(ids, now_ms, service, failure)));
        }
        if throttle::is_inconsistent(primary) && primary.rollout_state != RolloutState::Failed {
            told.extend(tell::once(service, tell::inconsistent(ids, now_ms, service)));
        }
        if plan.waits.contains(&Wait::Bounds) {
            told.extend(tell::once(service, tell::stuck(ids, now_ms, service)));
        }
        if plan.waits.contains(&Wait::Protected) && stopping.is_empty() && step.starts.is_empty() {
            told.extend(tell::once(service, tell::protected(ids, now_ms, service, primary)));
        }
        let completes = |step: &DeploymentStep| {
            matches!(step.change, DeploymentChange::Rollout(RolloutState::Completed, _))
        };
        if step.deployments.iter().any(completes) {
            told.push(tell::completed(ids, now_ms, service, primary));
        }
        if step.steady == Some(true) {
            told.push(tell::steady(ids, now_ms, service));
        }
        step.events = told;
    }

    fn empty_step(&self) -> ServiceStep {
        ServiceStep {
            service: self.service.key.clone(),
            expected_version: self.service.version,
            starts: Vec::new(),
            stops: Vec::new(),
            deployments: Vec::new(),
            events: Vec::new(),
            steady: None,
            inactive: false,
        }
    }
}

/// `None` for a step that would change nothing.
fn worth_it(step: ServiceStep) -> Option<ServiceStep> {
    let idle = step.starts.is_empty()
        && step.stops.is_empty()
        && step.deployments.is_empty()
        && step.events.is_empty()
        && step.steady.is_none()
        && !step.inactive;
    (!idle).then_some(step)
}

fn stop_of(task: &Task, why: StopReason) -> Stop {
    let reason: Arc<str> = match (why, &task.deployment) {
        (StopReason::Unhealthy, _) => "Task failed container health checks".into(),
        (_, Some(deployment)) => format!("Scaling activity initiated by (deployment {deployment})").into(),
        (_, None) => "Scaling activity initiated by the service scheduler".into(),
    };
    Stop { code: StopCode::ServiceSchedulerInitiated, reason }
}
