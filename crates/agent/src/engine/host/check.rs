//! One run of a health check: one more process in the container, which is as confined as the
//! container's own and has its user, environment and directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Host, HostError};
use crate::engine::plan::Work;
use crate::runtime::{RuntimeError, Shim};

/// The shim's name for the process: a container has one at a time.
const EXEC_ID: &str = "health-check";
/// How long a killed check may take to go.
const DEATH: Duration = Duration::from_secs(10);

impl Host {
    /// Whether the check passed within its time. What keeps it from running is a failure, as in
    /// Docker.
    pub(super) async fn check(&self, work: &Arc<Work>, container: usize, timeout_ms: u64) -> bool {
        match self.try_check(work, container, Duration::from_millis(timeout_ms)).await {
            Ok(code) => {
                let name = &work.containers[container].payload.name;
                tracing::debug!(task = work.id, container = name, code, "health check");
                code == Some(0)
            }
            Err(error) => {
                tracing::debug!(%error, task = work.id, container, "a health check could not be run");
                false
            }
        }
    }

    /// Its exit code; none when its time was over.
    async fn try_check(
        &self,
        work: &Arc<Work>,
        container: usize,
        timeout: Duration,
    ) -> Result<Option<u32>, HostError> {
        let c = &work.containers[container];
        let shim = self.live(&work.id).shim.lock().await.clone();
        let shim = shim.ok_or_else(|| HostError::Told("the container has no shim".into()))?;
        let args = c.check.as_deref().unwrap_or_default();
        let process = process(&c.bundle, args)?;
        let id = &c.runtime_id;
        {
            // Time in this queue isn't the check's.
            let Ok(_permit) = self.checks.acquire().await else { return Ok(None) };
            if let Err(error) = shim.exec(id, EXEC_ID, process.clone()).await {
                if !error.is_already_there() {
                    return Err(error.into());
                }
                // Of an agent that died meanwhile.
                end(&shim, id).await;
                shim.exec(id, EXEC_ID, process).await?;
            }
            if let Err(error) = shim.start_exec(id, EXEC_ID).await {
                let _ = shim.delete_exec(id, EXEC_ID).await;
                return Err(error.into());
            }
        }
        // One Wait from the beginning to the end: an answer that nobody waits for any more is a foreign
        // body in a ttrpc connection.
        let mut ended = std::pin::pin!(shim.wait_exec(id, EXEC_ID));
        let code = match tokio::time::timeout(timeout, &mut ended).await {
            Ok(ended) => Some(ended?.code),
            Err(_) => {
                let _ = shim.kill_exec(id, EXEC_ID).await;
                let _ = tokio::time::timeout(DEATH, ended).await;
                None
            }
        };
        let _ = shim.delete_exec(id, EXEC_ID).await;
        Ok(code)
    }
}

/// Kills a check, if it runs, and lets the shim forget it.
async fn end(shim: &Shim, id: &str) {
    if shim.delete_exec(id, EXEC_ID).await.is_ok() {
        return;
    }
    if !matches!(shim.kill_exec(id, EXEC_ID).await, Err(RuntimeError::Gone { .. })) {
        let _ = tokio::time::timeout(DEATH, shim.wait_exec(id, EXEC_ID)).await;
        let _ = shim.delete_exec(id, EXEC_ID).await;
    }
}

/// The container's own process with other arguments.
fn process(bundle: &Path, args: &[String]) -> Result<Vec<u8>, HostError> {
    let path = bundle.join("config.json");
    let text = std::fs::read(&path).map_err(HostError::io("cannot read", &path))?;
    with_args(&text, args).map_err(|e| HostError::Told(format!("{}: {e}", path.display())))
}

fn with_args(config: &[u8], args: &[String]) -> Result<Vec<u8>, serde_json::Error> {
    let mut config: Value = serde_json::from_slice(config)?;
    let mut process = config["process"].take();
    process["args"] = args.into();
    process["terminal"] = false.into();
    serde_json::to_vec(&process)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_is_as_confined_as_the_container() {
        let config = br#"{"process":{"args":["web"],"cwd":"/srv","user":{"uid":7,"gid":8},
            "capabilities":{"bounding":["CAP_KILL"]},"env":["A=1"]},"root":{"path":"rootfs"}}"#;
        let process = super::with_args(config, &["/bin/sh".into(), "-c".into(), "true".into()]).unwrap();
        let process: serde_json::Value = serde_json::from_slice(&process).unwrap();
        let wanted = serde_json::json!({"args": ["/bin/sh", "-c", "true"], "cwd": "/srv", "user": {"uid": 7, "gid": 8},
            "capabilities": {"bounding": ["CAP_KILL"]}, "env": ["A=1"], "terminal": false});
        assert_eq!(process, wanted);
    }
}
