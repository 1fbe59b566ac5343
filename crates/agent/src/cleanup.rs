//! `longshore down`: removes everything that an agent of a data directory made on this machine.
//!
//! Works without the control plane and after any crash; done twice, it finds nothing the second
//! time. It refuses to work while an agent has the directory open.
//!
//! What the agent has yet to tell stays: a task that ended here is told as STOPPED, with its exit
//! code and the log lines that were not sent, by the next agent of this directory. For that agent
//! this is like any crash after which nothing runs any more; were the tasks forgotten instead, the
//! control plane would have them started a second time.

use std::path::Path;
use std::sync::Arc;

use crate::agent::{AgentError, Places, Remembered};
use crate::engine::{self, Left};
use crate::images::{ImageStore, ImagesConfig};
use crate::logs::{ContainerLogs, LogEvent, LogSink, SinkError, SinkFuture};
use crate::network;
use crate::runtime::{Runtime, RuntimeChoice, Shim};
use crate::state::{SavedTask, StateDir, StateError};
use crate::task::{Action, Desired, Observation, step};
use crate::volumes::Volumes;

/// A bundle's file without which there is no container (OCI runtime specification, "Filesystem Bundle").
const SPECIFICATION: &str = "config.json";

/// What was found and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub tasks: usize,
    pub containers: usize,
    pub root_file_systems: usize,
    /// Tasks that had volumes of their own.
    pub volumes: usize,
    pub namespaces: usize,
    pub cgroups: usize,
    pub bridge: bool,
    /// What could not be removed, in words. Empty when nothing is left.
    pub left: Vec<String>,
}

/// Stops every task of the directory's agent and removes its mounts, namespaces, cgroups, bridge,
/// packet filter rules, shims and volumes of the tasks' own. Images and their layers stay, and shared
/// volumes, and what must still be told.
pub async fn cleanup(data_dir: &Path) -> Result<Report, AgentError> {
    let mut report = Report::default();
    if !data_dir.exists() {
        return Ok(report);
    }
    let places = Places::of(data_dir)?;
    // The lock of the store tells whether an agent is there.
    let images = ImageStore::open(places.images(), ImagesConfig::default())?;
    let dir = StateDir::open(&places.root)?;
    remove_containers(&places, &dir, &mut report).await?;
    end_shims(&places.sockets()).await;
    for key in images.list_rootfs() {
        match images.remove_rootfs(&key) {
            Ok(()) => report.root_file_systems += 1,
            Err(error) => report.left.push(error.to_string()),
        }
    }
    remove_volumes(&places, &mut report);
    match network::teardown(&places.prefix, &places.run) {
        Ok(removed) => {
            report.namespaces = removed.namespaces;
            report.bridge = removed.bridge;
        }
        Err(error) => report.left.push(error.to_string()),
    }
    match engine::remove_cgroups(&places.prefix) {
        Ok(n) => report.cgroups = n,
        Err(error) => report.left.push(error.to_string()),
    }
    // Where runc's shim keeps the containers of a namespace; it leaves the directory.
    let _ = std::fs::remove_dir(Path::new("/run/containerd/runc").join(&places.prefix));
    if let Err(error) = std::fs::remove_dir_all(&places.run)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        report.left.push(format!("{}: {error}", places.run.display()));
    }
    // Gone with the last agent of this machine.
    let _ = std::fs::remove_dir("/run/longshore");
    Ok(report)
}

/// Those of the tasks. Shared ones are the user's to keep.
fn remove_volumes(places: &Places, report: &mut Report) {
    let path = places.volumes();
    if !path.exists() {
        return;
    }
    match Volumes::open(&path).and_then(|volumes| volumes.sweep(&Default::default())) {
        Ok(n) => report.volumes = n,
        Err(error) => report.left.push(error.to_string()),
    }
}

async fn remove_containers(places: &Places, dir: &StateDir, report: &mut Report) -> Result<(), AgentError> {
    engine::salvage(dir)?;
    let saved = dir.load()?;
    for task in &saved {
        if let Err(error) = stop(task, dir) {
            report.left.push(format!("task {}: {error}", task.id));
        }
    }
    let left = left(&saved, dir)?;
    if left.is_empty() {
        return Ok(());
    }
    let shim = std::fs::read(places.host_file())
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok())
        .map(|remembered| remembered.shim);
    let runtime = Runtime::new(
        &RuntimeChoice::Longshore,
        shim.as_deref().filter(|path| path.exists()),
        &places.prefix,
        &places.sockets(),
        &places.containers(),
    )?;
    let mut tasks = std::collections::BTreeSet::new();
    let mut shims = std::collections::BTreeSet::new();
    for (task, container) in left {
        tasks.insert(task);
        report.containers += 1;
        let Left { runtime_id, bundle, logs } = container;
        shims.extend(std::fs::read_to_string(bundle.join("address")).ok());
        // Before the shim goes, and with it what the FIFOs hold.
        let logs = logs.and_then(|target| ContainerLogs::start(&bundle, target, Arc::new(Nowhere)).ok());
        match engine::remove_container(&runtime, &bundle, &runtime_id).await {
            // Without it, nothing is left to remove: its exit record and its lines are for the next agent.
            Ok(()) => drop(std::fs::remove_file(bundle.join(SPECIFICATION))),
            Err(error) => report.left.push(format!("container {runtime_id}: {error}")),
        }
        if let Some(logs) = logs {
            logs.keep().await;
        }
    }
    report.tasks = tasks.len();
    for address in shims {
        end_shim(address.trim()).await;
    }
    Ok(())
}

/// Writes down that the task is to stop, as if the agent had died right after it was told so.
fn stop(task: &SavedTask, dir: &StateDir) -> Result<(), StateError> {
    if task.record.closed_ms.is_some() {
        return Ok(());
    }
    let mut record = task.record.clone();
    let (state, actions) = step(&record.state, Observation::Desired(Desired::Stopped), engine::now_ms());
    record.state = state;
    record.unsent.extend(actions.into_iter().filter_map(|action| match action {
        Action::Report(change) => Some(change),
        _ => None,
    }));
    dir.save_record(&task.id, &record)
}

/// Every container on disk of which something may run, with its task's id.
fn left(saved: &[SavedTask], dir: &StateDir) -> Result<Vec<(String, Left)>, StateError> {
    let known = saved.iter().map(|task| (task.id.clone(), engine::left_of(task, dir)));
    let lost = dir.all_lost()?.into_iter().map(|id| (id.clone(), engine::left_of_lost(&id, dir)));
    let all = known.chain(lost).flat_map(|(id, left)| left.into_iter().map(move |left| (id.clone(), left)));
    Ok(all.filter(|(_, left)| left.bundle.join(SPECIFICATION).exists()).collect())
}

/// There is no control plane here: lines are only kept.
struct Nowhere;

impl Nowhere {
    fn refuse<'a>() -> SinkFuture<'a> {
        Box::pin(async { Err(SinkError::Later { message: "the agent is being cleaned up".into() }) })
    }
}

impl LogSink for Nowhere {
    fn put<'a>(&'a self, _: &'a str, _: &'a str, _: Vec<LogEvent>) -> SinkFuture<'a> {
        Self::refuse()
    }
    fn create_stream<'a>(&'a self, _: &'a str, _: &'a str) -> SinkFuture<'a> {
        Self::refuse()
    }
    fn create_group<'a>(&'a self, _: &'a str) -> SinkFuture<'a> {
        Self::refuse()
    }
}

/// Asks every shim that still listens to end.
async fn end_shims(sockets: &Path) {
    for entry in std::fs::read_dir(sockets).into_iter().flatten().flatten() {
        end_shim(&format!("unix://{}", entry.path().display())).await;
    }
}

/// A shim with containers stays.
async fn end_shim(address: &str) {
    if let Ok(shim) = Shim::connect(address).await {
        let _ = shim.shutdown("cleanup").await;
    }
}
