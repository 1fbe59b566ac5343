//! Deployments that go through lifecycle stages.

use std::sync::Arc;

use model::command::ServiceChange;
use model::{DeploymentStrategy, Hook, HookAction, HookTarget, Shift, Stage, Stages};

use crate::episode::Episode;

/// Where hooks may be.
const HOOKED: &[Stage] = &[
    Stage::ReconcileService,
    Stage::PreScaleUp,
    Stage::PostScaleUp,
    Stage::TestTrafficShift,
    Stage::PostTestTrafficShift,
    Stage::PreProductionTrafficShift,
    Stage::ProductionTrafficShift,
    Stage::PostProductionTrafficShift,
];

impl Episode {
    pub(super) fn any_stages(&mut self) -> Option<Arc<Stages>> {
        if !self.dice.chance(self.weather.staged) {
            return None;
        }
        let strategy = self.dice.pick(DeploymentStrategy::ALL)?;
        let rest_ms = self.dice.between(0, 20_000);
        let shift = match strategy {
            DeploymentStrategy::Linear => Shift::linear(300, rest_ms),
            DeploymentStrategy::Canary => Shift::canary(100, rest_ms),
            DeploymentStrategy::Rolling | DeploymentStrategy::BlueGreen => Shift::default(),
        };
        let bake_ms = self.dice.rarely_up_to(0, 60_000);
        let mut hooks: Vec<Hook> = (0..self.dice.between(0, 3)).filter_map(|_| self.any_hook()).collect();
        if strategy == DeploymentStrategy::Rolling {
            hooks.iter_mut().for_each(|hook| hook.stages.retain(|stage| !stage.is_of_traffic()));
        }
        Some(Stages { strategy, shift, bake_ms, hooks }.into())
    }

    fn any_hook(&mut self) -> Option<Hook> {
        let pauses = self.dice.chance(30);
        let stages = (0..self.dice.between(1, 2)).filter_map(|_| self.dice.pick(HOOKED));
        let shifts = |stage: &Stage| matches!(stage, Stage::TestTrafficShift | Stage::ProductionTrafficShift);
        let stages: Vec<Stage> = stages.filter(|stage| !pauses || !shifts(stage)).collect();
        let target = match pauses {
            true => HookTarget::Pause,
            false => HookTarget::Url("http://127.0.0.1:1/".into()),
        };
        let (timeout_ms, on_timeout) = (self.dice.between(5_000, 120_000), self.dice.pick(HookAction::ALL)?);
        (!stages.is_empty()).then_some(Hook { target, stages, details: None, timeout_ms, on_timeout })
    }

    pub(super) fn change_strategy(&mut self) {
        let Some(key) = self.any_service() else { return };
        if self.is_daemon(&key) || self.is_external(&key) {
            return;
        }
        let stages = Some(self.any_stages());
        self.change(key, ServiceChange { stages, ..ServiceChange::default() });
    }

    pub(super) fn decide_on_pause(&mut self) {
        let paused = self.paused();
        let Some((service, hook)) = self.dice.pick(&paused) else { return self.run_tasks() };
        let action = if self.dice.chance(75) { HookAction::Continue } else { HookAction::Rollback };
        self.continue_paused(service, hook, action);
    }
}
