//! The way down: signals, removal, and the lines that are still to be sent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Host, HostError, blocking};
use crate::engine::machine::Seen;
use crate::engine::plan::{ContainerWork, Work};
use crate::engine::signal;
use crate::logs::{AwsLogs, ContainerLogs};
use crate::runtime::{Ended, Runtime, RuntimeError, Shim, drain_found_log, keep_exit_record};
use crate::task::Observation as O;
use crate::whole;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// How long a killed container may take to go.
const DEATH: Duration = Duration::from_secs(10);
/// Tries before what can't be removed is left to `cleanup`.
const TRIES: u32 = 5;
/// A bundle's file with the image's stop signal, for an agent that comes later.
pub(super) const STOP_SIGNAL: &str = "stop-signal";
/// A bundle's file with what the container wrote.
const SPOOL: &str = "log.spool";
/// A file beside the task's bundles with the address of its shim.
pub(super) const SHIM: &str = "shim";

impl Host {
    pub(super) async fn stop(&self, work: &Arc<Work>, container: usize) {
        let c = &work.containers[container];
        let of_image = || std::fs::read_to_string(c.bundle.join(STOP_SIGNAL)).ok();
        let signal = c.config.stop_signal.clone().or_else(of_image);
        let signal = signal.and_then(|s| signal::number(&s)).unwrap_or(SIGTERM);
        self.signal(work, c, signal, false).await;
    }

    pub(super) async fn kill(&self, work: &Arc<Work>, container: usize) {
        self.signal(work, &work.containers[container], SIGKILL, true).await;
    }

    async fn signal(&self, work: &Work, c: &ContainerWork, signal: i32, all: bool) {
        let shim = self.live(&work.id).shim.lock().await.clone();
        let Some(shim) = shim else { return };
        if let Err(error) = shim.kill(&c.runtime_id, signal, all).await {
            // It is gone already, most likely; its end is seen by Wait.
            tracing::debug!(%error, task = work.id, signal, "a signal did not arrive");
        }
    }

    pub(super) async fn delete(self: &Arc<Self>, work: &Arc<Work>, container: usize, seen: &Seen) {
        let live = self.live(&work.id);
        drop(live.with(container, |c| (c.logs.take(), c.image.take())));
        let shim = live.shim.lock().await.clone();
        let mut pause = Duration::from_millis(50);
        for _ in 0..TRIES {
            match self.try_delete(work, container, shim.as_ref()).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(%error, task = work.id, "a container could not be removed yet"),
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
        seen.see(O::Deleted { container });
    }

    async fn try_delete(
        self: &Arc<Self>,
        work: &Arc<Work>,
        container: usize,
        shim: Option<&Shim>,
    ) -> Result<(), HostError> {
        let c = &work.containers[container];
        remove_with(&self.config.runtime, shim, &c.bundle, &c.runtime_id).await?;
        let (host, work) = (self.clone(), work.clone());
        blocking(move || {
            let c = &work.containers[container];
            let removed = host.config.images.remove_rootfs(&c.runtime_id);
            removed.map_err(|e| HostError::Told(e.to_string()))?;
            host.keep_unsent_lines(c);
            match std::fs::remove_dir_all(&c.bundle) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(HostError::io("cannot remove", &c.bundle)(e))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    /// What the task as a whole had.
    pub(super) async fn detach(self: &Arc<Self>, work: &Arc<Work>, seen: &Seen) {
        let live = self.live(&work.id);
        let held = live.shim.lock().await.take();
        let shim = match held {
            Some(shim) => Some(shim),
            None => noted_shim(work).await,
        };
        if let (Some(shim), Some(c)) = (shim, work.containers.first())
            && let Err(error) = shim.shutdown(&c.runtime_id).await
        {
            tracing::warn!(%error, task = work.id, "a shim did not end");
        }
        self.leave_network(work).await;
        let (host, of) = (self.clone(), work.clone());
        blocking(move || {
            host.remove_cgroup(&of);
            if let Err(error) = host.config.volumes.remove_task(&of.id) {
                tracing::warn!(%error, task = of.id, "a task's volumes could not be removed");
            }
            // Made by `attach` for the shim; gone already unless the task never got further.
            if let Some(c) = of.containers.first() {
                let _ = std::fs::remove_dir_all(&c.bundle);
            }
        })
        .await;
        self.all_live().remove(&work.id);
        seen.see(O::NetworkDetached);
    }

    /// Lines that the control plane has not taken outlive the container: their spool moves aside
    /// and is sent from there.
    fn keep_unsent_lines(self: &Arc<Self>, c: &ContainerWork) {
        let Some(target) = &c.logs else { return };
        let spool = c.bundle.join(SPOOL);
        if ContainerLogs::is_all_sent(&spool) {
            return;
        }
        let aside = self.config.spools.join(&c.runtime_id);
        match move_spool(&c.bundle, &aside, target) {
            Ok(()) => self.send_spool(&aside),
            Err(error) => tracing::error!(%error, "a container's last lines are lost"),
        }
    }

    /// Sends what an earlier agent could not.
    pub(super) fn send_spools(self: &Arc<Self>) {
        for entry in std::fs::read_dir(&self.config.spools).into_iter().flatten().flatten() {
            self.send_spool(&entry.path());
        }
    }

    fn send_spool(self: &Arc<Self>, aside: &Path) {
        let Some(target) = std::fs::read(aside.join("target.json"))
            .ok()
            .and_then(|b| serde_json::from_slice::<AwsLogs>(&b).ok())
            .filter(|_| aside.join(SPOOL).exists())
        else {
            // A move that was interrupted. The container's removal begins anew, and the move with it.
            let _ = std::fs::remove_dir_all(aside);
            return;
        };
        let (sink, aside) = (self.config.logs.clone(), aside.to_owned());
        // `keep_unsent_lines` calls from a blocking thread of the runtime.
        tokio::runtime::Handle::current().spawn(async move {
            match ContainerLogs::start(&aside, target, sink) {
                Ok(logs) => {
                    logs.finish(Duration::MAX).await;
                    let _ = std::fs::remove_dir_all(&aside);
                }
                Err(error) => tracing::error!(%error, "a container's last lines cannot be sent"),
            }
        });
    }
}

/// The spool goes last: an agent that is killed in between finds it in the bundle and moves it again, and without it
/// there is nothing to send.
fn move_spool(bundle: &Path, aside: &Path, target: &AwsLogs) -> std::io::Result<()> {
    std::fs::create_dir_all(aside)?;
    let target = serde_json::to_vec(target).map_err(std::io::Error::other)?;
    whole::write(&aside.join("target.json"), &target)?;
    match std::fs::copy(bundle.join("log.sent"), aside.join("log.sent")) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    std::fs::rename(bundle.join(SPOOL), aside.join(SPOOL))
}

/// The shim that an agent before this one had started, if it still lives.
async fn noted_shim(work: &Work) -> Option<Shim> {
    let note = work.containers.first()?.bundle.with_file_name(SHIM);
    Shim::connect(std::fs::read_to_string(note).ok()?.trim()).await.ok()
}

/// Removes a container whose shim may live or not. Nothing there is no error. How it ended is in its bundle then.
pub async fn remove_container(runtime: &Runtime, bundle: &Path, id: &str) -> Result<(), RuntimeError> {
    let address = std::fs::read_to_string(bundle.join("address")).unwrap_or_default();
    drain_found_log(bundle);
    let shim = Shim::connect(address.trim()).await.ok();
    if let Some(ended) = remove_with(runtime, shim.as_ref(), bundle, id).await?
        && let Err(error) = keep_exit_record(bundle, ended)
    {
        tracing::error!(%error, container = id, "its exit code is lost");
    }
    Ok(())
}

async fn remove_with(
    runtime: &Runtime,
    shim: Option<&Shim>,
    bundle: &Path,
    id: &str,
) -> Result<Option<Ended>, RuntimeError> {
    let deleted = match shim {
        Some(shim) => remove_by_shim(shim, id).await,
        None => Err(RuntimeError::Gone { method: "Delete", said: "no connection".into() }),
    };
    match deleted {
        Err(RuntimeError::Gone { .. }) if bundle.join("config.json").exists() => {
            runtime.delete_left_over(bundle, id).await.map(|()| None)
        }
        Err(RuntimeError::Gone { .. }) => Ok(None),
        other => other,
    }
}

/// Kills what still runs and deletes it.
async fn remove_by_shim(shim: &Shim, id: &str) -> Result<Option<Ended>, RuntimeError> {
    match shim.delete(id).await {
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error @ RuntimeError::Gone { .. }) => return Err(error),
        Ok(ended) => return Ok(Some(ended)),
        // It runs, or waits to be started.
        Err(_) => {}
    }
    match shim.kill(id, SIGKILL, true).await {
        Err(error @ RuntimeError::Gone { .. }) => return Err(error),
        _ => {
            let _ = tokio::time::timeout(DEATH, shim.wait(id)).await;
        }
    }
    match shim.delete(id).await {
        Err(error) if error.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Mode;

    /// An agent that is killed at any moment of the move leaves the spool in one place, never without its target.
    #[test]
    fn a_spool_moves_last() {
        let dir = tempfile::tempdir().unwrap();
        let (bundle, aside) = (dir.path().join("0"), dir.path().join("spools/a"));
        std::fs::create_dir(&bundle).unwrap();
        let target = AwsLogs {
            group: "g".into(),
            stream: "s".into(),
            region: None,
            create_group: false,
            mode: Mode::Blocking,
        };
        assert!(move_spool(&bundle, &aside, &target).is_err(), "there is no spool");
        let noted: AwsLogs =
            serde_json::from_slice(&std::fs::read(aside.join("target.json")).unwrap()).unwrap();
        assert_eq!(noted, target, "what it is sent with is there first");
        for (file, text) in [(SPOOL, "lines"), ("log.sent", "{}")] {
            std::fs::write(bundle.join(file), text).unwrap();
        }
        move_spool(&bundle, &aside, &target).unwrap();
        assert!(!bundle.join(SPOOL).exists());
        assert_eq!(std::fs::read_to_string(aside.join(SPOOL)).unwrap(), "lines");
        assert_eq!(std::fs::read_to_string(aside.join("log.sent")).unwrap(), "{}");
    }
}
