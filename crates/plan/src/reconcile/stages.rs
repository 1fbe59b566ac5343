//! Deployments that go through lifecycle stages (ECS developer guide, "Amazon ECS blue/green service deployments
//! workflow"): where one goes next, and what it waits for. A rollback goes its own way, past those stages alone whose
//! traffic had moved. A rolling update goes past those that aren't about traffic, if it has hooks or a bake time.

use super::Planner;
use crate::Ids;
use model::{
    Deployment, DeploymentId, DeploymentStrategy, HookRun, HookStatus, HookTarget, Lifecycle, Stage,
    command::{DeploymentChange, DeploymentStep, ServiceStep},
};

/// Whether both revisions are to run.
pub(super) fn side_by_side(primary: &Deployment) -> bool {
    let beside = |one: &Lifecycle| one.keeps_old() && one.stages.strategy != DeploymentStrategy::Rolling;
    primary.lifecycle.as_deref().is_some_and(beside)
}

/// Whether its tasks are to be replaced a few at a time, and nothing of that may begin yet.
pub(super) fn is_held(lifecycle: &Lifecycle) -> bool {
    lifecycle.stages.strategy == DeploymentStrategy::Rolling && lifecycle.keeps_old()
}

/// Whether the deployment is kept beside the PRIMARY one, even if it has no tasks at this moment.
pub(super) fn is_kept(primary: &Deployment, id: &DeploymentId) -> bool {
    let keeps = |one: &Lifecycle| one.keeps_old() && one.from.as_ref() == Some(id);
    primary.lifecycle.as_deref().is_some_and(keeps)
}

/// Whether nothing but its tasks keeps the deployment from its end.
pub(super) fn may_complete(primary: &Deployment) -> bool {
    primary.lifecycle.as_ref().is_none_or(|lifecycle| lifecycle.stage == Stage::CleanUp)
}

/// What the tasks say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// Nothing runs but the two revisions.
    pub reconciled: bool,
    /// All of the new revision's tasks are healthy, and hold.
    pub scaled: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// Until this time at most, if time alone can end it.
    Wait(Option<u64>),
    Go(Box<Lifecycle>),
}

pub(super) fn next(at: &Lifecycle, ready: Ready, now_ms: u64, ids: &mut Ids) -> Next {
    if at.runs.is_empty() {
        let runs = hooks(at, now_ms, ids);
        if !runs.is_empty() {
            return Next::Go(Lifecycle { runs, ..at.clone() }.into());
        }
    }
    // That it had no end in its time is told, whatever else the stage waits for.
    if at.runs.iter().any(|run| run.status_at(now_ms) != run.status) {
        let seen = |run: &HookRun| HookRun { status: run.status_at(now_ms), ..run.clone() };
        return Next::Go(Lifecycle { runs: at.runs.iter().map(seen).collect(), ..at.clone() }.into());
    }
    let open = at.runs.iter().filter(|run| run.is_open(now_ms));
    if let Some(until_ms) = open.map(|run| run.expires_ms).min() {
        return Next::Wait(Some(until_ms));
    }
    if let Some(until_ms) = rests_until(at).filter(|until_ms| *until_ms > now_ms) {
        return Next::Wait(Some(until_ms));
    }
    let done = match at.stage {
        Stage::ReconcileService => ready.reconciled,
        Stage::ScaleUp | Stage::BakeTime => ready.scaled,
        // Its end is the deployment's.
        Stage::CleanUp => false,
        _ => true,
    };
    match done {
        true => Next::Go(advanced(at, now_ms).into()),
        false => Next::Wait(None),
    }
}

/// The end of a stage, or of a step, that only time ends.
pub(crate) fn rests_until(at: &Lifecycle) -> Option<u64> {
    let shift = &at.stages.shift;
    let rest_ms = match at.stage {
        _ if at.back_from.is_some() => return None,
        Stage::ProductionTrafficShift if at.step + 1 < shift.steps.len() => shift.bake_ms,
        Stage::BakeTime => at.stages.bake_ms,
        _ => return None,
    };
    Some(at.since_ms.saturating_add(rest_ms))
}

fn advanced(at: &Lifecycle, now_ms: u64) -> Lifecycle {
    let (stage, step) = match at.back_from {
        Some(reached) => (on_the_way_back(at.stage, reached), at.step),
        None => onward(at),
    };
    Lifecycle { stage, step, since_ms: now_ms, runs: Vec::new(), ..at.clone() }
}

fn onward(at: &Lifecycle) -> (Stage, usize) {
    if at.stage == Stage::ProductionTrafficShift && at.step + 1 < at.stages.shift.steps.len() {
        return (Stage::PreProductionTrafficShift, at.step + 1);
    }
    let rolls = at.stages.strategy == DeploymentStrategy::Rolling;
    let ahead = Stage::ALL.iter().copied().filter(|stage| !rolls || !stage.is_of_traffic());
    let next = ahead.into_iter().find(|stage| *stage > at.stage);
    (next.unwrap_or(Stage::CleanUp), at.step)
}

/// The production traffic comes back first.
fn on_the_way_back(at: Stage, reached: Stage) -> Stage {
    match at {
        Stage::ScaleUp if reached >= Stage::ProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ScaleUp | Stage::ProductionTrafficShift if reached >= Stage::TestTrafficShift => {
            Stage::TestTrafficShift
        }
        _ => Stage::CleanUp,
    }
}

/// All hooks of a stage run at once.
fn hooks(at: &Lifecycle, now_ms: u64, ids: &mut Ids) -> Vec<HookRun> {
    let of_stage = at.stages.hooks.iter().enumerate().filter(|(_, hook)| hook.stages.contains(&at.stage));
    of_stage
        .map(|(number, hook)| {
            let (id, status) = match hook.target {
                HookTarget::Pause => (format!("ecs-pause-{}", ids.uuid()), HookStatus::AwaitingAction),
                HookTarget::Url(_) => (ids.uuid().to_string(), HookStatus::InProgress),
            };
            HookRun {
                id: id.into(),
                hook: number,
                status,
                due_ms: now_ms,
                expires_ms: now_ms.saturating_add(hook.timeout_ms),
                details: hook.details.clone(),
            }
        })
        .collect()
}

impl Planner<'_> {
    /// What becomes of the stages with this step, and when to look again.
    pub(super) fn stage(&mut self, primary: &Deployment, step: &mut ServiceStep) -> Option<u64> {
        let lifecycle = primary.lifecycle.as_ref().filter(|_| primary.is_rolling_out())?;
        self.count_old(lifecycle, step);
        // What starts or stops comes first.
        if !step.starts.is_empty() || !step.stops.is_empty() {
            return None;
        }
        match next(lifecycle, self.ready(primary, lifecycle), self.now_ms, &mut self.ids) {
            Next::Wait(until_ms) => until_ms,
            Next::Go(lifecycle) => {
                let change = DeploymentChange::Stage(lifecycle);
                step.deployments.push(DeploymentStep { id: primary.id.clone(), change });
                None
            }
        }
    }

    fn ready(&self, primary: &Deployment, lifecycle: &Lifecycle) -> Ready {
        if lifecycle.stages.strategy == DeploymentStrategy::Rolling {
            let scaled = self.census.is_steady() && self.census.holds_later_ms().is_none();
            return Ready { reconciled: true, scaled };
        }
        let known = [Some(&primary.id), lifecycle.from.as_ref()];
        let mut all = self.census.wanted().chain(self.census.leaving.iter().copied());
        let new = &self.census.new;
        Ready {
            reconciled: lifecycle.from.is_none() || all.all(|task| known.contains(&task.deployment.as_ref())),
            scaled: new.len() == self.census.desired as usize
                && new.iter().all(|task| task.is_healthy())
                && self.census.holds_later_ms().is_none(),
        }
    }

    /// The old revision is wanted as long as it may be needed, and no longer.
    fn count_old(&self, lifecycle: &Lifecycle, step: &mut ServiceStep) {
        let Some(from) = lifecycle.from.as_ref().and_then(|id| self.service.deployment(id)) else { return };
        let wanted = match (lifecycle.keeps_old(), lifecycle.back_from) {
            (false, _) => 0,
            (_, None) => self.service.desired_count,
            (_, Some(_)) => from.desired_count,
        };
        if wanted != from.desired_count {
            let change = DeploymentChange::Desired(wanted);
            step.deployments.push(DeploymentStep { id: from.id.clone(), change });
        }
    }
}
