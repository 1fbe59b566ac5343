//! The way up: network, image, bundle, shim, container.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::finish::SHIM;
use super::spec::told;
use super::{Host, HostError, LiveTask, blocking, timed};
use crate::engine::machine::Seen;
use crate::engine::plan::{ContainerWork, Work};
use crate::images::{Auth, Platform, PulledImage};
use crate::logs::{ContainerLogs, LogError};
use crate::runtime::{RuntimeError, Shim, read_exit_record};
use crate::task::Observation as O;
use crate::volumes::Place;

/// The group annotation: one shim process serves all containers of a task.
pub(super) const GROUP: &str = "io.containerd.runc.v2.group";
/// How long a container's last lines may hold up the news of its end.
const LAST_LINES: Duration = Duration::from_secs(5);

impl Host {
    /// What the task as a whole needs: its network namespace, its cgroup and the shared volumes, at once. Its shim is
    /// begun meanwhile; whoever needs it waits for it then.
    pub(super) async fn attach(self: &Arc<Self>, work: &Arc<Work>, seen: &Seen) {
        let live = self.live(&work.id);
        let shim = self.begin_shim(work, &live).await;
        self.begin_streams(work, &live);
        let network = self.join_network(work);
        let cgroup = {
            let (host, work) = (self.clone(), work.clone());
            async {
                let made = blocking(move || host.make_cgroup(&work)).await;
                if self.config.runtime.is_foreign() {
                    self.quicken();
                }
                made
            }
        };
        let volumes = {
            let (host, work) = (self.clone(), work.clone());
            async {
                match work.volumes.iter().any(|volume| matches!(volume.place, Place::Shared { .. })) {
                    false => Ok(()),
                    true => blocking(move || host.config.volumes.provision(&work.volumes)).await,
                }
            }
        };
        let (network, cgroup, volumes) = tokio::join!(
            timed("network", &work.id, network),
            timed("cgroup", &work.id, cgroup),
            timed("volumes", &work.id, volumes),
        );
        let others = cgroup.and(shim).and(volumes.map_err(told));
        match network.and_then(|bindings| others.map(|()| bindings)) {
            Ok(bindings) => {
                if bindings.iter().any(|bindings| !bindings.is_empty()) {
                    seen.see(O::PortsBound { bindings });
                }
                seen.see(O::NetworkAttached);
            }
            Err(error) => seen.see(O::NetworkFailed { reason: error.to_string() }),
        }
    }

    /// The log streams of the containers that start first are made meanwhile; the others' when their
    /// turn comes, which may be never.
    fn begin_streams(self: &Arc<Self>, work: &Arc<Work>, live: &LiveTask) {
        for (n, c) in work.containers.iter().enumerate() {
            if let Some(target) = c.logs.clone().filter(|_| c.payload.depends_on.is_empty()) {
                let host = self.clone();
                let made = async move { ContainerLogs::prepare(&target, host.config.logs.as_ref()).await };
                live.with(n, |l| l.stream = Some(tokio::spawn(made)));
            }
        }
    }

    /// Starts the task's shim beside everything else. From here on its place is locked, so that a task which is over
    /// before its shim is there waits for it, and ends it.
    async fn begin_shim(self: &Arc<Self>, work: &Arc<Work>, live: &Arc<LiveTask>) -> Result<(), HostError> {
        let mut held = live.shim.clone().lock_owned().await;
        live.with(0, |_| make_shims_bundle(work))?;
        let (host, work, live) = (self.clone(), work.clone(), live.clone());
        tokio::spawn(async move {
            if let Err(error) = timed("shim spawn", &work.id, host.shim_at(&mut held, &work, &live)).await {
                // Create tries again, and tells of it.
                tracing::debug!(%error, task = work.id, "a shim did not start");
            }
        });
        Ok(())
    }

    /// The task's shim: the one that runs, or a new one.
    pub(super) async fn shim(&self, work: &Work, live: &LiveTask) -> Result<Shim, HostError> {
        self.shim_at(&mut *live.shim.lock().await, work, live).await
    }

    async fn shim_at(
        &self,
        held: &mut Option<Shim>,
        work: &Work,
        live: &LiveTask,
    ) -> Result<Shim, HostError> {
        if let Some(shim) = held.as_ref() {
            return Ok(shim.clone());
        }
        let first = first(work)?;
        let bundle = &first.bundle;
        if let Ok(address) = std::fs::read_to_string(bundle.join("address"))
            && let Ok(shim) = Shim::connect(address.trim()).await
        {
            note_shim(bundle, &shim)?;
            *held = Some(shim.clone());
            return Ok(shim);
        }
        live.with(0, |_| make_shims_bundle(work))?;
        let shim = self.config.runtime.start_shim(bundle, &first.runtime_id).await?;
        note_shim(bundle, &shim)?;
        *held = Some(shim.clone());
        Ok(shim)
    }

    pub(super) async fn pull(&self, work: &Arc<Work>, container: usize, seen: &Seen) {
        let reference = work.containers[container].payload.image.clone();
        match timed("image", &work.id, self.fetch(&reference)).await {
            Ok(image) => {
                let digest = image.manifest_digest.clone();
                self.live(&work.id).with(container, |c| c.image = Some(image));
                seen.see(O::Pulled { container, digest });
            }
            Err(error) => {
                let reason = format!("CannotPullContainerError: {error}");
                seen.see(O::PullFailed { container, reason });
            }
        }
    }

    async fn fetch(&self, reference: &str) -> Result<PulledImage, crate::images::PullError> {
        self.config.images.pull(reference, Auth::ByName, &Platform::host(), None).await
    }

    pub(super) async fn create(self: &Arc<Self>, work: &Arc<Work>, container: usize, seen: &Seen) {
        let Ok(_permit) = self.launches.acquire().await else { return };
        let c = &work.containers[container];
        match self.try_create(work, container, seen).await {
            Ok(()) => seen.see(O::Created { container, runtime_id: c.runtime_id.clone() }),
            Err(error) => seen.see(O::CreateFailed { container, reason: error.to_string() }),
        }
    }

    async fn try_create(
        self: &Arc<Self>,
        work: &Arc<Work>,
        container: usize,
        seen: &Seen,
    ) -> Result<(), HostError> {
        let told =
            |name: &'static str| move |e: &dyn std::fmt::Display| HostError::Told(format!("{name}: {e}"));
        let c = &work.containers[container];
        let live = self.live(&work.id);
        let image = match live.with(container, |c| c.image.take()) {
            Some(image) => image,
            // After a restart of the agent the image is on disk, but not in hand.
            None => self.fetch(&c.payload.image).await.map_err(|e| told("CannotPullContainerError")(&e))?,
        };
        make_bundle_dir(&c.bundle)?;
        // After a restart of the agent nobody has done it, and the specification must not be written twice at once.
        live.with(container, |_| make_shims_bundle(work))?;
        let place = self.place(work, container).await;
        let place = place.map_err(|e| told("CannotStartContainerError")(&e))?;
        let bundle = {
            let (host, work) = (self.clone(), work.clone());
            blocking(move || host.write_bundle(&work, container, &image, place))
        };
        let begun = live.with(container, |c| c.stream.take());
        let stream = async {
            if let Some(begun) = begun
                && let Ok(made) = begun.await
            {
                return made;
            }
            match &c.logs {
                Some(target) => ContainerLogs::prepare(target, self.config.logs.as_ref()).await,
                None => Ok(()),
            }
        };
        let (bundle, stream, shim) = tokio::join!(
            timed("bundle", &work.id, bundle),
            timed("log stream", &work.id, stream),
            self.shim(work, &live),
        );
        bundle.map_err(|e| told("CannotCreateContainerError")(&e))?;
        stream.map_err(|e| told("ResourceInitializationError")(&e))?;
        let shim = shim.map_err(|e| told("CannotCreateContainerError")(&e))?;
        if container > 0 {
            // Each bundle knows the task's shim, so that each container is found by itself. The first's
            // may be gone already: what others depend on can be over before they begin.
            super::spec::write(&c.bundle.join("address"), shim.address().as_bytes())?;
        }
        let created = self.create_in_bundle(work, container, &shim);
        timed("create", &work.id, created).await?;
        self.watch(work, container, shim, seen);
        Ok(())
    }

    /// Makes the container from its bundle, its output read from here on.
    pub(super) async fn create_in_bundle(
        &self,
        work: &Work,
        container: usize,
        shim: &Shim,
    ) -> Result<(), HostError> {
        let c = &work.containers[container];
        let logs =
            self.read_logs(c).map_err(|e| HostError::Told(format!("CannotCreateContainerError: {e}")))?;
        let outputs = match &logs {
            Some(_) => ContainerLogs::fifos(&c.bundle).map(|p| p.display().to_string()),
            None => Default::default(),
        };
        self.live(&work.id).with(container, |l| l.logs = logs);
        let created = shim.create(&c.runtime_id, &c.bundle, &outputs[0], &outputs[1]).await;
        created.map(drop).map_err(|e| {
            // Worded as on Fargate, where a command that isn't there shows in the same call.
            HostError::Told(format!(
                "CannotStartContainerError: failed to create new container runtime task: failed to create shim task: {e}"
            ))
        })
    }

    /// Begins (or goes on) to read what the container writes.
    pub(super) fn read_logs(&self, c: &ContainerWork) -> Result<Option<ContainerLogs>, LogError> {
        let start = |target| ContainerLogs::start(&c.bundle, target, self.config.logs.clone());
        let logs = c.logs.clone().map(start).transpose()?;
        if let Some(logs) = logs.as_ref().filter(|_| self.config.runtime.is_foreign()) {
            logs.expect_copies();
        }
        Ok(logs)
    }

    /// Waits for the container's end, sees its last lines through and tells of it.
    pub(super) fn watch(self: &Arc<Self>, work: &Arc<Work>, container: usize, shim: Shim, seen: &Seen) {
        if self.live(&work.id).with(container, |c| std::mem::replace(&mut c.watched, true)) {
            return;
        }
        let (host, work, seen) = (self.clone(), work.clone(), seen.clone());
        tokio::spawn(async move {
            let c = &work.containers[container];
            let ended = shim.wait(&c.runtime_id).await;
            let (code, at_ms, reason) = match (ended, read_exit_record(&c.bundle)) {
                (Ok(ended), _) => (Some(ended.code), ended.at_ms, None),
                (Err(_), Some(record)) => (Some(record.exit_code), record.exited_at_ms, None),
                (Err(error), None) => {
                    tracing::warn!(%error, task = work.id, "a shim is gone");
                    (None, 0, Some(super::find::SHIM_KILLED.to_owned()))
                }
            };
            let oom = code == Some(137) && host.was_out_of_memory(&work, container);
            host.see_lines_through(&work, container).await;
            let code = code.and_then(|c| i32::try_from(c).ok());
            host.live(&work.id).with(container, |c| c.watched = false);
            seen.see(O::Exited { container, code, oom, reason, at_ms });
        });
    }

    pub(super) async fn see_lines_through(&self, work: &Work, container: usize) {
        if let Some(logs) = self.live(&work.id).with(container, |c| c.logs.take())
            && !logs.finish(LAST_LINES).await
        {
            tracing::warn!(task = work.id, "a container's last lines wait for the control plane");
        }
    }

    pub(super) async fn start(&self, work: &Arc<Work>, container: usize, seen: &Seen) {
        let live = self.live(&work.id);
        let started = async {
            let shim = self.shim(work, &live).await?;
            match shim.start(&work.containers[container].runtime_id).await {
                // Killed, perhaps after the container had ended. Whoever waits for its end tells of that, with the
                // exit code if there is one.
                Err(RuntimeError::Gone { .. }) if Shim::connect(shim.address()).await.is_err() => Ok(false),
                other => other.map(|()| true).map_err(HostError::from),
            }
        };
        match timed("start", &work.id, started).await {
            Ok(true) => seen.see(O::Started { container }),
            Ok(false) => {}
            Err(error) => {
                let reason = format!("CannotStartContainerError: {error}");
                seen.see(O::StartFailed { container, reason });
            }
        }
    }
}

/// The shim outlives the bundles: an agent that is killed between the last removal and Shutdown finds it
/// by this note.
fn note_shim(bundle: &Path, shim: &Shim) -> Result<(), HostError> {
    let note = bundle.with_file_name(SHIM);
    super::spec::write(&note, shim.address().as_bytes())
}

fn first(work: &Work) -> Result<&ContainerWork, HostError> {
    work.containers.first().ok_or_else(|| HostError::Told("no containers".into()))
}

/// What the shim's `start` needs. It reads only the group from the specification; the whole of it is there before
/// Create.
fn make_shims_bundle(work: &Work) -> Result<(), HostError> {
    let bundle = &first(work)?.bundle;
    make_bundle_dir(bundle)?;
    let config = bundle.join("config.json");
    if config.exists() {
        return Ok(());
    }
    let stub = format!(r#"{{"ociVersion":"1.0.2","annotations":{{"{GROUP}":"{}"}}}}"#, work.id);
    super::spec::write(&config, stub.as_bytes())
}

fn make_bundle_dir(bundle: &Path) -> Result<(), HostError> {
    std::fs::create_dir_all(bundle.join("rootfs")).map_err(HostError::io("cannot create", bundle))
}
