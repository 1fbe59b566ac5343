//! Carries out what [`crate::task::step`] decides, one actor per task.
//!
//! [`Engine::accept`] takes a task of a payload; from then on the task's actor (`actor.rs`) takes
//! observations in one by one, writes the state down, hands the actions to the [`Machine`] and the
//! reports, strictly in order, to [`Reports`]. `plan.rs` reads a payload; `host/` is the machine
//! that the agent runs on.

mod actor;
mod host;
mod machine;
mod plan;
mod salvage;
mod signal;
mod vitals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, mpsc};

pub use host::{Host, HostConfig, HostError, Storage, Usage, remove_cgroups, remove_container};
pub use machine::{Done, Machine, Reports, Seen, Submitted};
pub use plan::{ContainerWork, Refusal, Work};
pub(crate) use salvage::salvage;
pub use vitals::{Changes, Vital};

use crate::state::{Record, SavedTask, StateDir, StateError, task_id};
use crate::task::{Desired, Observation, TaskState};
use actor::{Actor, Event};

/// Reports under way at a time, over all tasks (the ECS agent has ten).
const REPORTS_AT_ONCE: usize = 16;
/// When a new payload is made to outlive the machine: not while its task is being launched, for a
/// journal's commit holds up every other change to the file system.
const SYNC_AFTER: Duration = Duration::from_secs(1);
/// How long a finished task is remembered, so that a late payload can't start it again. The ECS
/// agent keeps three hours as well.
const REMEMBER_MS: u64 = 3 * 3_600_000;

/// Every task of this agent.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    dir: StateDir,
    machine: Arc<dyn Machine>,
    reports: Arc<dyn Reports>,
    permits: Arc<Semaphore>,
    changes: Arc<Changes>,
    tasks: Mutex<HashMap<String, Handle>>,
}

struct Handle {
    desired: Desired,
    cluster: Option<String>,
    work: Arc<Work>,
    events: mpsc::UnboundedSender<Event>,
}

/// A task that is not finished here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub arn: String,
    pub cluster: Option<String>,
    pub desired: Desired,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("tasks", &self.tasks().len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes up every task that is on disk, running ones first of all.
    pub fn open(
        dir: StateDir,
        machine: Arc<dyn Machine>,
        reports: Arc<dyn Reports>,
    ) -> Result<Self, StateError> {
        salvage(&dir)?;
        let saved = dir.load()?;
        let engine = Engine {
            inner: Arc::new(Inner {
                dir,
                machine,
                reports,
                permits: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
                changes: Arc::default(),
                tasks: Mutex::default(),
            }),
        };
        for SavedTask { id, payload, record } in saved {
            match record.closed_ms {
                Some(closed) if now_ms().saturating_sub(closed) > REMEMBER_MS => {
                    engine.inner.dir.remove(&id)?;
                }
                _ => engine.spawn(&id, payload, record, None),
            }
        }
        Ok(engine)
    }

    /// Takes a payload's task. Known tasks only take its desired status; an unknown one is on disk
    /// when this returns, so that the payload may be acknowledged.
    pub fn accept(&self, payload: wire::acs::Task) -> Result<(), Refusal> {
        let desired = match payload.desired_status.as_deref() {
            Some("RUNNING") => Desired::Running,
            Some("STOPPED") => Desired::Stopped,
            other => {
                let said = other.unwrap_or_default();
                return Err(Refusal::new(format!("desiredStatus {said:?} is not known")));
            }
        };
        if let Some(handle) = self.tasks().get_mut(&payload.arn) {
            handle.desired = handle.desired.max(desired);
            // A closed actor only ends when the agent does.
            let _ = handle.events.send(Event::Seen(Observation::Desired(desired)));
            return Ok(());
        }
        let id = task_id(&payload.arn).map_err(|e| Refusal::new(e.to_string()))?.to_owned();
        let dir = &self.inner.dir;
        let lost = dir.lost(&id);
        let record = match &lost {
            // It was begun here once: what is left of it is found like that of any task on disk.
            Some(why) => salvage::anew(&payload, why),
            None => Record { state: TaskState::new(plan::spec(&payload)), unsent: vec![], closed_ms: None },
        };
        let task = SavedTask { id, payload, record };
        dir.save_whole(&task).map_err(|e| Refusal::new(e.to_string()))?;
        let SavedTask { id, payload, record } = task;
        self.spawn(&id, payload, record, lost.is_none().then_some(desired));
        let dir = dir.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SYNC_AFTER).await;
            tokio::task::spawn_blocking(move || {
                if let Err(error) = dir.sync_payload(&id) {
                    tracing::warn!(%error, task = id, "a payload could not be made durable");
                }
            });
        });
        Ok(())
    }

    /// Stops a task, if it is here.
    pub fn stop(&self, arn: &str) {
        if let Some(handle) = self.tasks().get_mut(arn) {
            handle.desired = Desired::Stopped;
            let _ = handle.events.send(Event::Seen(Observation::Desired(Desired::Stopped)));
        }
    }

    /// Stops a task that may not go on, for a reason that the control plane is told.
    pub fn stop_because(&self, arn: &str, reason: String) {
        if let Some(handle) = self.tasks().get(arn) {
            let _ = handle.events.send(Event::Seen(Observation::Refused { reason }));
        }
    }

    /// Tasks that have not come to their end here.
    pub fn known(&self) -> Vec<Known> {
        let tasks = self.tasks();
        let open = tasks.iter().filter(|(_, h)| !h.work.is_closed());
        let mut known: Vec<_> = open
            .map(|(arn, h)| Known { arn: arn.clone(), cluster: h.cluster.clone(), desired: h.desired })
            .collect();
        known.sort_by(|a, b| a.arn.cmp(&b.arn));
        known
    }

    /// The tasks whose health has changed.
    pub fn health_changes(&self) -> &Changes {
        &self.inner.changes
    }

    /// The work of every task that has not come to its end here.
    pub fn works(&self) -> Vec<Arc<Work>> {
        self.tasks().values().filter(|h| !h.work.is_closed()).map(|h| h.work.clone()).collect()
    }

    /// `first`: the payload's desired status of a task that is new; `None` for one found on disk.
    fn spawn(&self, id: &str, payload: wire::acs::Task, record: Record, first: Option<Desired>) {
        let arn = payload.arn.clone();
        let cluster = payload.task_cluster_arn.clone();
        let (work, refused) = plan::work(id, payload, &self.inner.dir);
        actor::note_bindings(&work, &record);
        let work = Arc::new(work);
        let (events, inbox) = mpsc::unbounded_channel();
        let desired = first.unwrap_or(record.state.desired);
        let actor = Actor {
            work: work.clone(),
            record,
            dir: self.inner.dir.clone(),
            machine: self.inner.machine.clone(),
            reports: self.inner.reports.clone(),
            permits: self.inner.permits.clone(),
            changes: self.inner.changes.clone(),
            events: events.clone(),
            inbox,
            submitting: false,
        };
        self.tasks().insert(arn, Handle { desired, cluster, work, events });
        tokio::spawn(actor.run(first, refused));
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<String, Handle>> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A container that may be left of a task, as far as its removal needs it.
pub(crate) struct Left {
    pub runtime_id: String,
    pub bundle: std::path::PathBuf,
    pub logs: Option<crate::logs::AwsLogs>,
}

pub(crate) fn left_of(task: &SavedTask, dir: &StateDir) -> Vec<Left> {
    let (work, _) = plan::work(&task.id, task.payload.clone(), dir);
    let containers = work.containers.into_iter();
    containers.map(|c| Left { runtime_id: c.runtime_id, bundle: c.bundle, logs: c.logs }).collect()
}

/// Those of a task of which neither file can be read, by what their bundles say.
pub(crate) fn left_of_lost(id: &str, dir: &StateDir) -> Vec<Left> {
    let entries = std::fs::read_dir(dir.task(id)).into_iter().flatten().flatten();
    let bundles = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    let named = bundles.filter_map(|bundle| Some((salvage::runtime_id_of(&bundle)?, bundle)));
    named.map(|(runtime_id, bundle)| Left { runtime_id, bundle, logs: None }).collect()
}

/// The engine's clock: ms since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
