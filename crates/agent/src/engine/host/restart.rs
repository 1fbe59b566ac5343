//! A container that its policy starts again: the same bundle, the same root file system with what
//! was written there, the same log stream, as `docker start` does it.

use std::sync::Arc;

use super::{Host, HostError};
use crate::engine::machine::Seen;
use crate::engine::plan::Work;
use crate::runtime::{RuntimeError, Shim, Status};
use crate::task::Observation as O;

impl Host {
    pub(super) async fn restart(self: &Arc<Self>, work: &Arc<Work>, container: usize, seen: &Seen) {
        match self.try_restart(work, container).await {
            Ok(shim) => {
                // First the news of the start, then whatever comes after it.
                seen.see(O::Restarted { container });
                self.watch(work, container, shim, seen);
            }
            Err(error) => {
                let reason = match error {
                    HostError::Told(told) => told,
                    other => format!("CannotStartContainerError: {other}"),
                };
                seen.see(O::RestartFailed { container, reason });
            }
        }
    }

    async fn try_restart(&self, work: &Arc<Work>, container: usize) -> Result<Shim, HostError> {
        let Ok(_permit) = self.launches.acquire().await else {
            return Err(HostError::Told("CannotStartContainerError: the agent is going".into()));
        };
        let c = &work.containers[container];
        let shim = self.shim(work, &self.live(&work.id)).await?;
        // An agent that died here may have got as far as any of these.
        let status = match shim.state(&c.runtime_id).await {
            Ok((status, _)) => Some(status),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        if status != Some(Status::Created) {
            if status.is_some() {
                match shim.delete(&c.runtime_id).await {
                    Err(error) if !error.is_not_found() => return Err(error.into()),
                    _ => {}
                }
            }
            self.create_in_bundle(work, container, &shim).await?;
        }
        match shim.start(&c.runtime_id).await {
            Ok(()) => Ok(shim),
            Err(error @ RuntimeError::Gone { .. }) => Err(error.into()),
            Err(error) => Err(HostError::Told(format!("CannotStartContainerError: {error}"))),
        }
    }
}
