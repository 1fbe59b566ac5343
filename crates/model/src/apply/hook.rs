//! What hooks say of a deployment, and what users say of one that a hook has paused.

use super::Draft;
use crate::{command::HookAnswer, entity::*, ids::DeploymentId, key::ServiceKey, refusal::Refusal};

impl Draft {
    pub(super) fn answer_hook(&mut self, key: &ServiceKey, run: &str, answer: &HookAnswer) {
        let now_ms = self.now_ms;
        self.change_run(key, run, |run| {
            if run.status != HookStatus::InProgress || !run.is_open(now_ms) {
                return;
            }
            match answer {
                HookAnswer::Succeeded => run.status = HookStatus::Succeeded,
                HookAnswer::Failed => run.status = HookStatus::Failed,
                HookAnswer::Later { after_ms, details } => {
                    run.due_ms = now_ms.saturating_add(*after_ms);
                    run.details = details.clone().or(run.details.take());
                }
            }
        });
    }

    pub(super) fn continue_deployment(
        &mut self,
        key: &ServiceKey,
        deployment: &DeploymentId,
        hook: &str,
        action: HookAction,
    ) -> Result<(), Refusal> {
        let record = self.world.service_deployment(key, deployment).cloned();
        let record = record.ok_or_else(|| Refusal::DeploymentNotFound(deployment.clone()))?;
        let service =
            self.world.service(key).filter(|_| record.status == ServiceDeploymentStatus::InProgress);
        let lifecycle = service.and_then(|service| service.deployment(deployment)?.lifecycle.as_deref());
        let runs = lifecycle.map(|lifecycle| lifecycle.runs.as_slice()).unwrap_or_default();
        let waits = |run: &&HookRun| run.status == HookStatus::AwaitingAction && run.is_open(self.now_ms);
        if runs.iter().filter(waits).all(|run| &*run.id != hook) {
            return Err(Refusal::NotPaused(hook.into()));
        }
        self.change_run(key, hook, |run| {
            run.status = match action {
                HookAction::Continue => HookStatus::Succeeded,
                HookAction::Rollback => HookStatus::Failed,
            };
        });
        Ok(())
    }

    fn change_run(&mut self, key: &ServiceKey, id: &str, change: impl FnOnce(&mut HookRun)) {
        self.change_service(key, |service| {
            let lifecycles = service.deployments.iter_mut().filter_map(|one| one.lifecycle.as_deref_mut());
            let run = lifecycles.flat_map(|lifecycle| &mut lifecycle.runs).find(|run| &*run.id == id);
            if let Some(run) = run {
                change(run);
            }
        });
    }
}
