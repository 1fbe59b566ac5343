//! Deployments that go through lifecycle stages: a new revision beside the old one, and the old one only goes when all is
//! well (ECS developer guide, "Amazon ECS blue/green service deployments workflow").

use super::Document;
use crate::{ids::DeploymentId, spelling::spelled};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

spelled! {
    /// How a service is brought to a new revision.
    DeploymentStrategy { Rolling = "ROLLING", BlueGreen = "BLUE_GREEN", Linear = "LINEAR", Canary = "CANARY" }
}

spelled! {
    /// In their order.
    Stage {
        ReconcileService = "RECONCILE_SERVICE",
        PreScaleUp = "PRE_SCALE_UP",
        ScaleUp = "SCALE_UP",
        PostScaleUp = "POST_SCALE_UP",
        TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        PreProductionTrafficShift = "PRE_PRODUCTION_TRAFFIC_SHIFT",
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
        BakeTime = "BAKE_TIME",
        CleanUp = "CLEAN_UP",
    }
}

spelled! {
    HookAction { Rollback = "ROLLBACK", Continue = "CONTINUE" }
}

spelled! {
    HookStatus {
        /// A pause: somebody has to say how it goes on.
        AwaitingAction = "AWAITING_ACTION",
        InProgress = "IN_PROGRESS",
        Succeeded = "SUCCEEDED",
        Failed = "FAILED",
        TimedOut = "TIMED_OUT",
    }
}

/// What a hook does at its stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookTarget {
    /// It waits for ContinueServiceDeployment.
    Pause,
    /// An HTTP endpoint is asked: its URL, or an ARN that holds it.
    Url(Arc<str>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    pub target: HookTarget,
    pub stages: Vec<Stage>,
    /// Told with each call.
    pub details: Option<Document>,
    pub timeout_ms: u64,
    /// What a hook that has no end by then amounts to.
    pub on_timeout: HookAction,
}

/// How production traffic moves: in tenths of a percent, the points at which it rests, the last of them all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    pub steps: Vec<u32>,
    /// The rest after each but the last.
    pub bake_ms: u64,
}

/// All of it at once.
impl Default for Shift {
    fn default() -> Self {
        Self { steps: vec![Self::ALL], bake_ms: 0 }
    }
}

impl Shift {
    pub const ALL: u32 = 1000;

    /// In equal steps.
    pub fn linear(step: u32, bake_ms: u64) -> Self {
        let step = step.clamp(1, Self::ALL);
        let steps = (1..).map(|nth| (nth * step).min(Self::ALL));
        let before_last = steps.clone().take_while(|at| *at < Self::ALL);
        Self { steps: before_last.chain([Self::ALL]).collect(), bake_ms }
    }

    /// A little first, then the rest.
    pub fn canary(first: u32, bake_ms: u64) -> Self {
        Self::linear(first, bake_ms).of_first_and_last()
    }

    fn of_first_and_last(mut self) -> Self {
        if self.steps.len() > 2 {
            self.steps.drain(1..self.steps.len() - 1);
        }
        self
    }
}

impl Stage {
    /// Whether it is about traffic, which a rolling update doesn't move.
    pub fn is_of_traffic(self) -> bool {
        (Self::TestTrafficShift..=Self::PostProductionTrafficShift).contains(&self)
    }
}

/// How a service is deployed where that takes stages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    pub strategy: DeploymentStrategy,
    pub shift: Shift,
    /// How long both revisions run once the production traffic has moved.
    pub bake_ms: u64,
    pub hooks: Vec<Hook>,
}

/// One hook at one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookRun {
    pub id: Arc<str>,
    /// Its number in [`Stages::hooks`].
    pub hook: usize,
    pub status: HookStatus,
    /// When it is to be asked, again or for the first time, while it is IN_PROGRESS.
    pub due_ms: u64,
    pub expires_ms: u64,
    /// What it gave back when it was asked last.
    pub details: Option<Document>,
}

/// Where a deployment stands. Everything it waits for is here, so that nothing is lost with the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// As the service asked for when the deployment was made.
    pub stages: Arc<Stages>,
    /// The deployment that makes way at the end.
    pub from: Option<DeploymentId>,
    /// It is a rollback, from a deployment that had come to this stage.
    pub back_from: Option<Stage>,
    pub stage: Stage,
    /// Of the traffic's shift.
    pub step: usize,
    /// When it came to the stage, or to the step.
    pub since_ms: u64,
    pub runs: Vec<HookRun>,
}

impl Lifecycle {
    /// Whether the old revision is to run as before: beside the new one until that has the traffic for good, or, where its
    /// tasks are replaced a few at a time, until that begins.
    pub fn keeps_old(&self) -> bool {
        match self.stages.strategy {
            DeploymentStrategy::Rolling => self.stage < Stage::ScaleUp,
            _ => self.stage < Stage::CleanUp,
        }
    }

    pub fn new(stages: Arc<Stages>, from: Option<DeploymentId>, several: bool, now_ms: u64) -> Self {
        let stage = if several { Stage::ReconcileService } else { Stage::PreScaleUp };
        Self { stages, from, back_from: None, stage, step: 0, since_ms: now_ms, runs: Vec::new() }
    }

    /// The way back from a deployment that is given up: as far as its traffic had moved.
    pub fn back(&self, given_up: DeploymentId, now_ms: u64) -> Self {
        Self {
            stages: self.stages.clone(),
            from: Some(given_up),
            back_from: Some(self.stage),
            stage: Stage::ScaleUp,
            step: 0,
            since_ms: now_ms,
            runs: Vec::new(),
        }
    }

    /// Tenths of a percent of the production traffic that the new revision has at this step.
    pub fn weight(&self) -> u32 {
        let shifted = self.stages.shift.steps.get(self.step).copied().unwrap_or(Shift::ALL);
        let before = self.step.checked_sub(1).and_then(|step| self.stages.shift.steps.get(step)).copied();
        match self.stage {
            _ if self.back_from.is_some() => 0,
            stage if stage < Stage::PreProductionTrafficShift => 0,
            Stage::PreProductionTrafficShift => before.unwrap_or(0),
            Stage::ProductionTrafficShift => shifted,
            _ => Shift::ALL,
        }
    }

    /// A hook that has failed, or had no end in its time, where that means to go back.
    pub fn refused(&self, now_ms: u64) -> Option<&HookRun> {
        self.runs.iter().find(|run| match run.status {
            HookStatus::Failed => true,
            HookStatus::Succeeded => false,
            HookStatus::AwaitingAction | HookStatus::InProgress | HookStatus::TimedOut => {
                run.expires_ms <= now_ms && self.on_timeout(run) == HookAction::Rollback
            }
        })
    }

    fn on_timeout(&self, run: &HookRun) -> HookAction {
        self.stages.hooks.get(run.hook).map_or(HookAction::Continue, |hook| hook.on_timeout)
    }
}

impl HookRun {
    pub fn is_open(&self, now_ms: u64) -> bool {
        matches!(self.status, HookStatus::AwaitingAction | HookStatus::InProgress) && self.expires_ms > now_ms
    }

    /// As it is seen at this time.
    pub fn status_at(&self, now_ms: u64) -> HookStatus {
        match self.status {
            HookStatus::AwaitingAction | HookStatus::InProgress if self.expires_ms <= now_ms => {
                HookStatus::TimedOut
            }
            status => status,
        }
    }
}
