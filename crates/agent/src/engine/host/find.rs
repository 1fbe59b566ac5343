//! What is left of a task after the agent was away.

use std::sync::Arc;

use super::Host;
use crate::engine::machine::Seen;
use crate::engine::plan::Work;
use crate::logs::ContainerLogs;
use crate::runtime::{Adopted, Shim};
use crate::task::Found;

/// The reason of a container whose shim was killed and left no record of its end.
pub(super) const SHIM_KILLED: &str =
    "ContainerVanishedError: the container's shim was killed and left no record of how it ended";

impl Host {
    /// Looks at every container; watches those that live.
    pub(super) async fn find_all(self: &Arc<Self>, work: &Arc<Work>, seen: &Seen) -> Vec<Found> {
        self.find_network(work).await;
        let mut found = Vec::with_capacity(work.containers.len());
        for container in 0..work.containers.len() {
            found.push(self.find_one(work, container, seen).await);
        }
        found
    }

    async fn find_one(self: &Arc<Self>, work: &Arc<Work>, container: usize, seen: &Seen) -> Found {
        let c = &work.containers[container];
        // First of all: a shim that was at Create when the agent died may wait for a reader of the container's
        // output, and answers no question before it has one.
        if ContainerLogs::fifos(&c.bundle)[0].exists() {
            self.go_on_reading(work, container);
        }
        match Adopted::find(&c.bundle, &c.runtime_id).await {
            Adopted::Nothing => {
                // Create begins anew, and to read.
                self.live(&work.id).with(container, |c| c.logs = None);
                Found::Nothing
            }
            Adopted::Created(shim) => {
                self.adopt(work, container, shim, seen).await;
                Found::Created
            }
            Adopted::Running(shim) => {
                self.adopt(work, container, shim, seen).await;
                Found::Running
            }
            Adopted::Exited { shim, ended } => {
                if let Some(shim) = shim {
                    *self.live(&work.id).shim.lock().await = Some(shim);
                }
                self.go_on_reading(work, container);
                let oom = ended.code == 137 && self.was_out_of_memory(work, container);
                self.see_lines_through(work, container).await;
                Found::Exited { code: i32::try_from(ended.code).ok(), oom, reason: None, at_ms: ended.at_ms }
            }
            Adopted::ShimKilled => {
                self.go_on_reading(work, container);
                self.see_lines_through(work, container).await;
                Found::Exited { code: None, oom: false, reason: Some(SHIM_KILLED.to_owned()), at_ms: 0 }
            }
        }
    }

    async fn adopt(self: &Arc<Self>, work: &Arc<Work>, container: usize, shim: Shim, seen: &Seen) {
        *self.live(&work.id).shim.lock().await = Some(shim.clone());
        self.go_on_reading(work, container);
        self.watch(work, container, shim, seen);
    }

    fn go_on_reading(&self, work: &Work, container: usize) {
        if self.live(&work.id).with(container, |c| c.logs.is_some()) {
            return;
        }
        match self.read_logs(&work.containers[container]) {
            Ok(logs) => self.live(&work.id).with(container, |c| c.logs = logs),
            Err(error) => tracing::error!(%error, task = work.id, "a container's log cannot be read"),
        }
    }
}
