//! The drivers of lifecycle hooks and of lost machines, and what hooks' endpoints say.

use std::sync::Arc;

use model::command::{Command, HookAnswer};
use model::{HookAction, HookStatus, ServiceKey};

use crate::control::Origin;
use crate::episode::{Due, Episode};

/// Between two looks at machines: they are lost for minutes.
const LOST_EVERY_MS: u64 = 5_000;
/// Between two looks of somebody who lets pauses go on: before the time of any is over.
const CONTINUE_EVERY_MS: u64 = 2_000;

impl Episode {
    /// Of several times to look again the first counts.
    pub fn look_at_hooks_in(&mut self, in_ms: u64) {
        let at_ms = self.now_ms + in_ms;
        if self.control.hooks_at_ms.is_none_or(|known| known > at_ms) {
            self.control.hooks_at_ms = Some(at_ms);
            self.at(in_ms, Due::Hooks);
        }
    }

    pub fn look_at_hooks(&mut self) {
        if !self.control.up || self.control.hooks_at_ms.is_none_or(|at_ms| at_ms > self.now_ms) {
            return;
        }
        self.control.hooks_at_ms = None;
        let due = plan::hooks(&self.control.world, self.now_ms);
        for call in due.calls {
            if self.control.asked.insert(call.run.clone()) {
                self.tally.count("hooks asked");
                let in_ms = if self.calm { 1_000 } else { self.dice.rarely_up_to(1, 50_000) };
                let life = self.control.life;
                self.at(in_ms, Due::Answers { life, service: call.service, run: call.run });
            }
        }
        if let Some(at_ms) = due.wake_at_ms {
            self.look_at_hooks_in(at_ms.saturating_sub(self.now_ms));
        }
    }

    /// Whoever asked may have died meanwhile.
    pub fn hook_answers(&mut self, life: u64, service: ServiceKey, run: Arc<str>) {
        if self.control.life != life {
            return;
        }
        let answer = if self.calm {
            HookAnswer::Succeeded
        } else if self.dice.chance(self.weather.hooks_wait) {
            HookAnswer::Later { after_ms: self.dice.between(1_000, 30_000), details: None }
        } else if self.dice.chance(self.weather.hooks_fail) {
            HookAnswer::Failed
        } else {
            HookAnswer::Succeeded
        };
        self.submit(Command::AnswerHook { service, run: run.clone(), answer }, Origin::Hook(run));
    }

    pub fn look_for_the_lost(&mut self) {
        self.at(LOST_EVERY_MS, Due::Lost);
        if self.control.up {
            for command in plan::lost(&self.control.world, self.now_ms, self.weather.lost_after_ms) {
                self.ask(command);
            }
        }
    }

    /// When all trouble is over, somebody looks after paused deployments.
    pub fn continue_all(&mut self) {
        self.at(CONTINUE_EVERY_MS, Due::Continue);
        for (service, hook) in self.paused() {
            self.continue_paused(service, hook, HookAction::Continue);
        }
    }

    /// The pauses that wait for somebody.
    pub fn paused(&self) -> Vec<(ServiceKey, Arc<str>)> {
        let mut paused = Vec::new();
        for service in self.control.world.all_services() {
            let lifecycle = service.primary().and_then(|primary| primary.lifecycle.as_deref());
            let runs = lifecycle.map(|lifecycle| lifecycle.runs.as_slice()).unwrap_or_default();
            let waits = runs.iter().filter(|run| run.status == HookStatus::AwaitingAction);
            paused.extend(waits.map(|run| (service.key.clone(), run.id.clone())));
        }
        paused
    }

    pub fn continue_paused(&mut self, service: ServiceKey, hook: Arc<str>, action: HookAction) {
        let deployment = self.control.world.service(&service).and_then(|service| service.primary());
        let Some(deployment) = deployment.map(|primary| primary.id.clone()) else { return };
        self.submit(Command::ContinueDeployment { service, deployment, hook, action }, Origin::User);
    }
}
