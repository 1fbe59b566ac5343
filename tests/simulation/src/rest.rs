//! The end of an episode: all trouble is over, and everything must come right; then everything is deleted, and nothing
//! must be left.

use anyhow::{Context, bail, ensure};
use model::command::Command;
use model::{
    Home, InstanceId, InstanceStatus, RolloutState, Service, ServiceKey, ServiceStatus, StopCode, TaskId,
};
use plan::reconcile;

use crate::control::RETENTION_MS;
use crate::episode::{Due, Episode};
use crate::promises;
use crate::site;

/// The longest that anything is held back: the throttle of a deployment whose tasks kept failing.
const HELD_BACK_MS: u64 = 1_000_000;
/// Machines of each home, so that there is room for everything.
const ROOM: usize = 18;

impl Episode {
    /// No more trouble, and room for everything.
    pub fn clear_up(&mut self) -> anyhow::Result<()> {
        self.calm = true;
        self.at(0, Due::Continue);
        self.note(|| "calm".into());
        self.control_starts()?;
        self.mend();
        for home in [Home::Pool, Home::Cluster(site::cluster())] {
            for _ in 0..ROOM {
                self.new_machine(home.clone());
            }
        }
        Ok(())
    }

    pub fn come_to_rest(&mut self) -> anyhow::Result<()> {
        self.go_on(self.now_ms + 120_000)?;
        self.end_hopeless_waits(false);
        self.go_on(self.now_ms + HELD_BACK_MS)?;
        // What has failed for good, somebody must deploy anew.
        for key in self.services(|service| {
            service.primary().is_some_and(|primary| primary.rollout_state == RolloutState::Failed)
        }) {
            self.deploy_to(key, true);
        }
        self.go_on(self.now_ms + HELD_BACK_MS)?;
        let world = self.control.world.clone();
        for service in world.all_services() {
            promises::at_rest(&world, service).with_context(|| {
                let events: Vec<_> =
                    service.events.iter().take(5).map(|event| event.message.clone()).collect();
                let tasks: Vec<_> = world
                    .live_tasks_of(&service.key)
                    .filter(|task| !task.is_healthy())
                    .map(|task| {
                        format!(
                            "{} {} {} on {}",
                            task.id, task.desired_status, task.last_status, task.instance
                        )
                    })
                    .collect();
                format!("service {}, with {tasks:#?}, whose last events are {events:#?}", service.key)
            })?;
            let seed = self.dice.id();
            let plan = reconcile::service(&world, &service.key, self.now_ms, seed);
            if let Some(step) = plan.and_then(|plan| plan.step) {
                bail!("service {} is at rest and is to take a step: {step:?}", service.key);
            }
        }
        promises::tasks_at_rest(&world)?;
        self.truth_is_known()?;
        self.stored_is_known()
    }

    /// Machines that were given up while they were only cut off keep what they had (API reference,
    /// DeregisterContainerInstance); everywhere else runs what is known to run, and nothing else.
    fn truth_is_known(&self) -> anyhow::Result<()> {
        let world = &self.control.world;
        let seen = |task: &&std::sync::Arc<model::Task>| !self.machines[&task.instance].gone;
        for task in world.all_tasks().filter(|task| task.is_live()).filter(seen) {
            ensure!(self.truth.runs(task.id), "task {} is RUNNING and doesn't run", task.id);
        }
        // Nor does anybody know what runs on a machine that has never come back: one that was asked to stop before its agent
        // had said that it has it may.
        let heard = |on: &InstanceId| !self.is_deregistered(*on) && !self.machines[on].gone;
        for (task, on) in self.truth.running().filter(|(_, on)| heard(on)) {
            let known = world.task(task).is_some_and(|task| task.is_live());
            ensure!(known, "task {task} runs on {on} and nobody wants it");
        }
        Ok(())
    }

    /// Somebody gives up machines that never came back; some of them nobody does.
    fn end_hopeless_waits(&mut self, all: bool) {
        let away = self.machines.iter().filter(|(_, machine)| all || !machine.gone);
        let ids: Vec<InstanceId> = away.map(|(id, _)| *id).collect();
        for id in ids {
            self.operator_looks(id);
        }
    }

    /// ACTIVE ones.
    fn services(&self, which: impl Fn(&Service) -> bool) -> Vec<ServiceKey> {
        let active =
            self.control.world.all_services().filter(|service| service.status == ServiceStatus::Active);
        active.filter(|service| which(service)).map(|service| service.key.clone()).collect()
    }

    /// Everything is deleted: tasks end, and in time all is forgotten.
    pub fn come_to_nothing(&mut self) -> anyhow::Result<()> {
        self.end_hopeless_waits(true);
        for key in self.services(|_| true) {
            self.ask(Command::DeleteService { key, force: true });
        }
        let live: Vec<TaskId> = self.control.world.all_tasks().map(|task| task.id).collect();
        for task in live {
            let (cluster, code, reason) = (site::cluster(), StopCode::UserInitiated, "enough".into());
            self.ask(Command::StopTask { cluster, task, code, reason });
        }
        self.go_on(self.now_ms + 120_000)?;
        let world = &self.control.world;
        ensure!(world.all_tasks().all(|task| !task.is_live()), "tasks are left");
        ensure!(world.all_services().all(|s| s.status == ServiceStatus::Inactive), "services are left");
        for (task, on) in self.truth.running() {
            ensure!(self.is_deregistered(on), "task {task} still runs on {on}");
        }
        self.go_on(self.now_ms + RETENTION_MS + 180_000)?;
        let world = &self.control.world;
        ensure!(world.task_count() == 0, "{} tasks aren't forgotten", world.task_count());
        let services = world.all_services().count();
        ensure!(services == 0, "{services} services aren't forgotten");
        let gone = world.all_instances().filter(|i| i.status == InstanceStatus::Inactive).count();
        ensure!(gone == 0, "{gone} container instances aren't forgotten");
        self.stored_is_known()
    }
}
