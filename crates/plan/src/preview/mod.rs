//! What would happen to a service: its planner run ahead on a copy of the world.

mod agents;
mod text;

pub use agents::Done;
pub use text::{Change, text};

use crate::{
    Ids,
    reconcile::{self, PLACE_AGAIN_MS, Plan, StopReason, Wait, rests_until},
    schedule::Failure,
};
use model::{
    Command, DefinitionRef, RolloutState, Service, ServiceKey, Stage, World, command::ServiceStep, transact,
};
use std::collections::BTreeMap;

/// After so many rounds without an end it is left open. Percents are whole, so that a deployment takes some hundred
/// rounds at most: one task at a time of a hundred.
const ROUNDS: usize = 2_000;
/// Looks at a service without room, while time goes by and nothing else happens, until it is certain that none comes.
const LOOKS_WITHOUT_ROOM: u32 = 30;

/// One thing after another.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// At once. What stops is counted by definition and reason.
    Act { starts: BTreeMap<DefinitionRef, u32>, stops: BTreeMap<(DefinitionRef, StopReason), u32> },
    /// Until tasks have come to where they are wanted.
    Wait(Done),
    /// So many hooks are asked, or must be continued, at a lifecycle stage.
    Hooks(Stage, u32),
    /// Only time goes by.
    Pause { ms: u64, why: Pause },
    /// So many tasks have no place meanwhile.
    NoRoom(u32, Failure),
    /// What was going on is given up, because a user has asked for it.
    GiveUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The circuit breaker watches whether new tasks hold.
    Hold,
    /// Tasks have failed before.
    Throttled,
    /// Tasks that are to stop are protected.
    Protected,
    /// Tasks that aren't healthy are in their grace period.
    Grace,
    /// Both revisions run for a time.
    Bake,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The desired count runs, and nothing else.
    Steady,
    /// So many tasks have no place and won't get one.
    NoRoom(u32, Failure),
    /// The healthy percents let no step be made.
    Bounds,
    /// The deployment has failed and starts nothing more.
    Failed,
    /// It goes on beyond what is looked at, or tasks that run aren't healthy.
    Open,
}

/// What would happen, and to what end.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub moves: Vec<Move>,
    pub end: End,
    pub started: u32,
    pub stopped: u32,
}

/// Runs the planner of `key` ahead from `world`, which stays as it is. `None` when there is no such service, or its
/// tasks aren't the planner's to decide.
pub fn run(world: &World, key: &ServiceKey, now_ms: u64, seed: u128) -> Option<Preview> {
    reconcile::service(world, key, now_ms, seed)?;
    let preview = Preview { moves: Vec::new(), end: End::Open, started: 0, stopped: 0 };
    let mut ahead = Ahead { world: world.clone(), key, now_ms, seeds: Ids::new(seed), preview };
    ahead.preview.end = ahead.go();
    Some(ahead.preview)
}

struct Ahead<'k> {
    world: World,
    key: &'k ServiceKey,
    now_ms: u64,
    seeds: Ids,
    preview: Preview,
}

impl Ahead<'_> {
    fn go(&mut self) -> End {
        let mut without_room = 0;
        for _ in 0..ROUNDS {
            let Some(plan) = self.plan_until_rest() else { return End::Open };
            let done = agents::act(&mut self.world, self.key, self.now_ms);
            if done != Done::default() {
                self.preview.moves.push(Move::Wait(done));
                without_room = 0;
                continue;
            }
            if let Some((stage, count)) = agents::consent(&mut self.world, self.key, self.now_ms) {
                self.preview.moves.push(Move::Hooks(stage, count));
                continue;
            }
            if self.is_over() {
                return End::Steady;
            }
            let no_room =
                plan.unplaced.first().map(|failure| End::NoRoom(plan.unplaced.len() as u32, failure.clone()));
            let Some((until_ms, why)) = self.pause(&plan) else {
                return no_room.unwrap_or_else(|| self.stuck(&plan));
            };
            let Some(why) = why else {
                // It asks again and again whether room has come.
                without_room += 1;
                if without_room > LOOKS_WITHOUT_ROOM {
                    return no_room.unwrap_or(End::Open);
                }
                self.now_ms = until_ms;
                continue;
            };
            let ms = until_ms.saturating_sub(self.now_ms);
            self.preview.moves.push(Move::Pause { ms, why });
            self.now_ms = until_ms;
        }
        End::Open
    }

    /// The plan that has nothing to be done now.
    fn plan_until_rest(&mut self) -> Option<Plan> {
        for _ in 0..ROUNDS {
            let seed = self.seeds.task().0;
            let plan = reconcile::service(&self.world, self.key, self.now_ms, seed)?;
            let Some(step) = plan.step.clone() else { return Some(plan) };
            self.note(&plan, &step);
            transact(&mut self.world, &Command::ServiceStep(step.into()), self.now_ms).ok()?;
        }
        None
    }

    fn note(&mut self, plan: &Plan, step: &ServiceStep) {
        let fails = |change: &model::command::DeploymentChange| {
            matches!(change, model::command::DeploymentChange::Rollout(RolloutState::Failed, _))
        };
        if step.deployments.iter().any(|step| fails(&step.change)) {
            self.preview.moves.push(Move::GiveUp);
        }
        self.note_acts(plan, step);
        let Some(failure) = plan.unplaced.first() else { return };
        let count = plan.unplaced.len() as u32;
        let last = self.preview.moves.iter().rev().find(|told| matches!(told, Move::NoRoom(..)));
        if !last.is_some_and(|told| matches!(told, Move::NoRoom(before, _) if *before == count)) {
            self.preview.moves.push(Move::NoRoom(count, failure.clone()));
        }
    }

    /// What is done at once is one move, however many steps the planner makes of it.
    fn note_acts(&mut self, plan: &Plan, step: &ServiceStep) {
        if step.starts.is_empty() && step.stops.is_empty() {
            return;
        }
        if !matches!(self.preview.moves.last(), Some(Move::Act { .. })) {
            self.preview.moves.push(Move::Act { starts: BTreeMap::new(), stops: BTreeMap::new() });
        }
        let Some(Move::Act { starts, stops }) = self.preview.moves.last_mut() else { return };
        for task in &step.starts {
            *starts.entry(task.definition.clone()).or_default() += 1;
        }
        for (id, why) in &plan.stops {
            let Some(task) = self.world.task(*id) else { continue };
            *stops.entry((task.definition.clone(), *why)).or_default() += 1;
        }
        self.preview.started += step.starts.len() as u32;
        self.preview.stopped += plan.stops.len() as u32;
    }

    fn is_over(&self) -> bool {
        let over = |primary: &model::Deployment| primary.rollout_state == RolloutState::Completed;
        self.service().is_some_and(|service| service.steady && service.primary().is_some_and(over))
    }

    fn service(&self) -> Option<&Service> {
        self.world.service(self.key).map(|service| &**service)
    }

    /// Until when nothing but time can go by, and for what; without a reason, to look whether there is room.
    fn pause(&self, plan: &Plan) -> Option<(u64, Option<Pause>)> {
        let at_ms = plan.wake_at_ms?;
        let throttled = plan.waits.iter().find_map(|wait| match wait {
            Wait::Throttled { until_ms } => Some((*until_ms, Pause::Throttled)),
            _ => None,
        });
        let tasks = || self.world.live_tasks_of(self.key);
        let held = plan.waits.contains(&Wait::Protected);
        let protection = tasks().filter(|_| held).filter_map(|task| task.protected_until_ms);
        let protection = protection.filter(|until_ms| *until_ms > self.now_ms).min();
        let holds =
            tasks().filter(|task| task.is_healthy()).filter_map(|task| model::apply::holds_from_ms(task));
        let holds = holds.filter(|from_ms| *from_ms > self.now_ms && self.is_watched()).min();
        let lifecycle = self.service().and_then(Service::primary).and_then(|one| one.lifecycle.as_deref());
        let baked = lifecycle.and_then(rests_until).filter(|until_ms| *until_ms > self.now_ms);
        let known = [
            throttled,
            protection.map(|ms| (ms, Pause::Protected)),
            holds.map(|ms| (ms, Pause::Hold)),
            baked.map(|ms| (ms, Pause::Bake)),
        ];
        match known.into_iter().flatten().min_by_key(|(ms, _)| *ms) {
            Some((ms, why)) => Some((ms, Some(why))),
            None if at_ms > self.now_ms + PLACE_AGAIN_MS || plan.unplaced.is_empty() => {
                Some((at_ms, Some(Pause::Grace)))
            }
            None => Some((at_ms, None)),
        }
    }

    fn is_watched(&self) -> bool {
        let rolling = |service: &Service| service.primary().is_some_and(model::Deployment::is_rolling_out);
        self.service().is_some_and(|service| service.breaker.enable && rolling(service))
    }

    fn stuck(&self, plan: &Plan) -> End {
        let failed = |primary: &model::Deployment| primary.rollout_state == RolloutState::Failed;
        match self.service().and_then(Service::primary) {
            Some(primary) if failed(primary) => End::Failed,
            _ if plan.waits.contains(&Wait::Bounds) => End::Bounds,
            _ => End::Open,
        }
    }
}
