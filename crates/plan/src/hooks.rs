//! Which lifecycle hooks are to be asked now. It follows from the world alone: what was asked before a crash, and had no
//! answer then, is asked again.

use model::{DeploymentId, Document, HookStatus, HookTarget, Lifecycle, Service, ServiceKey, Stage, World};
use std::sync::Arc;

/// One hook to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub service: ServiceKey,
    /// What is being deployed, also on the way back from it.
    pub deployment: DeploymentId,
    /// What it takes the place of.
    pub other: Option<DeploymentId>,
    pub run: Arc<str>,
    pub stage: Stage,
    pub target: Arc<str>,
    /// Tenths of a percent of the production traffic that `deployment` has at this step.
    pub weight: u32,
    /// The traffic comes back.
    pub back: bool,
    pub details: Option<Document>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    pub calls: Vec<Call>,
    /// When the next one is.
    pub wake_at_ms: Option<u64>,
}

pub fn hooks(world: &World, now_ms: u64) -> Due {
    let mut due = Due::default();
    for service in world.all_services() {
        let primary = service.primary().filter(|primary| primary.is_rolling_out());
        let Some(lifecycle) = primary.and_then(|primary| primary.lifecycle.as_deref()) else { continue };
        add(service, lifecycle, now_ms, &mut due);
    }
    due
}

fn add(service: &Service, lifecycle: &Lifecycle, now_ms: u64, due: &mut Due) {
    let Some(primary) = service.primary() else { return };
    for run in lifecycle.runs.iter().filter(|run| run.status == HookStatus::InProgress && run.is_open(now_ms))
    {
        let Some(HookTarget::Url(target)) = lifecycle.stages.hooks.get(run.hook).map(|hook| &hook.target)
        else {
            continue;
        };
        if run.due_ms > now_ms {
            due.wake_at_ms = due.wake_at_ms.into_iter().chain([run.due_ms]).min();
            continue;
        }
        let back = lifecycle.back_from.is_some();
        let (deployment, other) = match lifecycle.from.clone().filter(|_| back) {
            Some(given_up) => (given_up, Some(primary.id.clone())),
            None => (primary.id.clone(), lifecycle.from.clone()),
        };
        due.calls.push(Call {
            service: service.key.clone(),
            deployment,
            other,
            run: run.id.clone(),
            stage: lifecycle.stage,
            target: target.clone(),
            weight: lifecycle.weight(),
            back,
            details: run.details.clone(),
        });
    }
}
