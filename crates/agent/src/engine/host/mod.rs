//! The machine that the agent runs on: images, namespaces, cgroups, shims and logs put together.
//!
//! Each action of the step function is one method, idempotent, in `launch.rs` (the way up),
//! `place.rs` (its network), `finish.rs` (the way down), `restart.rs` or `check.rs` (health checks); `find.rs` looks at what is left after a restart, `spec.rs` makes a
//! container's bundle. Work that blocks runs on blocking threads; what is independent runs at once.

mod check;
mod find;
mod finish;
mod launch;
mod place;
mod restart;
mod spec;
mod storage;
mod usage;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use finish::remove_container;
pub use spec::remove_cgroups;
pub use storage::Storage;
pub use usage::Usage;

use super::machine::{Done, Machine, Seen};
use super::plan::Work;
use crate::bundle::cgroup::{Cgroups, quicken};
use crate::cdi::Specs;
use crate::images::{ImageStore, PulledImage};
use crate::logs::{ContainerLogs, LogError, LogSink};
use crate::network::{Bridged, Network, NetworkError};
use crate::runtime::{Runtime, RuntimeError, Shim};
use crate::task::{Action, Found, Observation};
use crate::volumes::Volumes;

/// Containers that are being created at a time. More only add to each other's latency: a launch
/// is mostly work of the kernel, and two processors are kept busy by two (see launch-facts).
const LAUNCHES_AT_ONCE: usize = 4;

/// How long the packet filter's rules may be gone that somebody else has flushed.
const RULES_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Told as it is in a container's reason.
    #[error("{0}")]
    Told(String),
}

impl HostError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| HostError::Io { what, path, source }
    }
}

/// What the host is made of.
pub struct HostConfig {
    pub images: ImageStore,
    pub network: Network,
    /// Of tasks in the mode `bridge`.
    pub bridged: Bridged,
    pub runtime: Runtime,
    pub logs: Arc<dyn LogSink>,
    /// Unique to this data directory on the machine; names its cgroups.
    pub prefix: String,
    pub region: String,
    /// Where lines wait that could not be sent before their container was removed.
    pub spools: PathBuf,
    pub volumes: Volumes,
    /// Where the machine's GPUs are described.
    pub devices: Specs,
}

impl std::fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    cgroups: Cgroups,
    open_files_ceiling: Option<i64>,
    launches: Semaphore,
    /// Health checks that are being started.
    checks: Semaphore,
    /// A thread is at `cgroup::quicken`.
    quickening: AtomicBool,
    tasks: Mutex<HashMap<String, Arc<LiveTask>>>,
}

/// What a task has in this process, and nothing that a restart could not find again.
#[derive(Debug, Default)]
struct LiveTask {
    /// Locked while the shim is being started.
    shim: Arc<tokio::sync::Mutex<Option<Shim>>>,
    containers: Mutex<HashMap<usize, LiveContainer>>,
}

#[derive(Debug, Default)]
struct LiveContainer {
    image: Option<PulledImage>,
    logs: Option<ContainerLogs>,
    /// Somebody waits for its end.
    watched: bool,
    /// Its log stream, on the way while the task's network and shim are.
    stream: Option<JoinHandle<Result<(), LogError>>>,
}

impl LiveTask {
    fn with<T>(&self, container: usize, f: impl FnOnce(&mut LiveContainer) -> T) -> T {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        f(containers.entry(container).or_default())
    }
}

impl Host {
    pub fn new(config: HostConfig) -> Result<Arc<Self>, HostError> {
        std::fs::create_dir_all(&config.spools).map_err(HostError::io("cannot create", &config.spools))?;
        let cgroups = Cgroups::open(&config.prefix).map_err(|e| HostError::Told(e.to_string()))?;
        let host = Arc::new(Host {
            config,
            cgroups,
            open_files_ceiling: spec::open_files_ceiling(),
            launches: Semaphore::new(LAUNCHES_AT_ONCE),
            checks: Semaphore::new(LAUNCHES_AT_ONCE),
            quickening: AtomicBool::new(false),
            tasks: Mutex::default(),
        });
        host.send_spools();
        Ok(host)
    }

    /// Begins the kernel's wait before another's shim can move a container into its cgroup. Not before the task's own
    /// cgroup is made: who waits holds the lock that mkdir needs.
    fn quicken(self: &Arc<Self>) {
        if self.quickening.swap(true, Ordering::AcqRel) {
            return;
        }
        let host = self.clone();
        tokio::task::spawn_blocking(move || {
            let began = std::time::Instant::now();
            quicken();
            host.quickening.store(false, Ordering::Release);
            let us = began.elapsed().as_micros() as u64;
            tracing::debug!(target: "agent::launch", step = "cgroup lock", us);
        });
    }

    /// Puts the network's rules back, for ever: a firewall's reload takes them away, and the walls between tasks with
    /// them.
    pub async fn keep_rules(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RULES_EVERY).await;
            let host = self.clone();
            let put_back = move || host.config.network.reconcile().and(host.config.bridged.reconcile());
            if let Err(error) = blocking(put_back).await {
                tracing::warn!(%error, "the packet filter's rules may be incomplete");
            }
        }
    }

    fn live(&self, id: &str) -> Arc<LiveTask> {
        self.all_live().entry(id.to_owned()).or_default().clone()
    }

    fn all_live(&self) -> MutexGuard<'_, HashMap<String, Arc<LiveTask>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine for Host {
    fn perform(self: Arc<Self>, work: Arc<Work>, action: Action, seen: Seen) -> Done<'static> {
        Box::pin(async move {
            match action {
                Action::AttachNetwork => self.attach(&work, &seen).await,
                Action::Pull { container } => self.pull(&work, container, &seen).await,
                Action::Create { container } => self.create(&work, container, &seen).await,
                Action::Start { container } => self.start(&work, container, &seen).await,
                Action::Stop { container } => self.stop(&work, container).await,
                Action::Kill { container } => self.kill(&work, container).await,
                Action::Restart { container } => self.restart(&work, container, &seen).await,
                Action::Check { container, run, timeout_ms } => {
                    let passed = self.check(&work, container, timeout_ms).await;
                    seen.see(Observation::Checked { container, run, passed });
                }
                Action::Delete { container } => self.delete(&work, container, &seen).await,
                Action::DetachNetwork => self.detach(&work, &seen).await,
                // The actor keeps these to itself.
                Action::SetTimer { .. } | Action::Report(_) => {}
            }
        })
    }

    fn find(self: Arc<Self>, work: Arc<Work>, seen: Seen) -> Done<'static, Vec<Found>> {
        Box::pin(async move { self.find_all(&work, &seen).await })
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(f).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// One step of a launch, with its duration in the log.
async fn timed<T>(step: &'static str, task: &str, f: impl Future<Output = T>) -> T {
    let began = std::time::Instant::now();
    let value = f.await;
    tracing::debug!(target: "agent::launch", step, task, us = began.elapsed().as_micros() as u64);
    value
}
