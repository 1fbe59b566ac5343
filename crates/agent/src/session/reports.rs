//! Delivers task state changes: at least once, until acknowledged (agent protocol §9).

use tokio::sync::watch;
use wire::Timestamp;
use wire::ecs::{
    self, ContainerStateChange, NetworkBinding, SubmitTaskStateChangeRequest, TransportProtocol,
};

use super::Api;
use super::backoff::Backoff;
use crate::engine::{Done, Reports, Submitted};
use crate::task::{Binding, Ports, Protocol, StateChange};

/// The longest reason that is sent, in characters.
const MAX_REASON: usize = 1024;

/// Reports over the control plane's API.
#[derive(Clone, Debug)]
pub struct ApiReports {
    pub api: Api,
    /// The agent's cluster, as it registered.
    pub cluster: String,
    /// Turns true when the control plane has taken the agent for its instance: a copy of another's
    /// directory has nothing true to tell of that one's tasks.
    pub registered: watch::Receiver<bool>,
}

impl Reports for ApiReports {
    fn submit(&self, change: StateChange) -> Done<'_, Submitted> {
        Box::pin(async move {
            let input = request(&self.cluster, &change);
            // An agent that ends before it is taken has told nothing: what it would say waits on its disk.
            if self.registered.clone().wait_for(|registered| *registered).await.is_err() {
                return std::future::pending().await;
            }
            let mut backoff = Backoff::api();
            loop {
                match self.api.call::<ecs::ops::SubmitTaskStateChange>(&input).await {
                    Ok(_) => return Submitted::Acknowledged,
                    Err(e) if e.code() == Some("InvalidParameterException") => {
                        tracing::error!(error = %e, task = change.task, "a state change was refused");
                        return Submitted::Refused;
                    }
                    Err(error) => {
                        tracing::debug!(%error, task = change.task, "a state change waits");
                        tokio::time::sleep(backoff.pause(rand::random())).await;
                    }
                }
            }
        })
    }
}

/// The call that carries a state change.
pub(super) fn request(cluster: &str, change: &StateChange) -> SubmitTaskStateChangeRequest {
    let containers = change.containers.iter().map(|c| ContainerStateChange {
        container_name: Some(c.name.clone()),
        exit_code: c.exit_code,
        image_digest: c.image_digest.clone(),
        network_bindings: (!c.bindings.is_empty()).then(|| c.bindings.iter().map(binding).collect()),
        reason: c.reason.as_deref().map(cut),
        runtime_id: c.runtime_id.clone(),
        status: Some(c.status.as_str().to_owned()),
    });
    SubmitTaskStateChangeRequest {
        cluster: Some(cluster.to_owned()),
        task: Some(change.task.clone()),
        status: Some(change.status.as_str().to_owned()),
        reason: Some(change.reason.as_deref().map(cut).unwrap_or_default()),
        containers: Some(containers.collect()),
        pull_started_at: change.pull_started_ms.map(Timestamp::from_ms),
        pull_stopped_at: change.pull_stopped_ms.map(Timestamp::from_ms),
        execution_stopped_at: change.execution_stopped_ms.map(Timestamp::from_ms),
        ..Default::default()
    }
}

fn binding(binding: &Binding) -> NetworkBinding {
    let one = |ports: Ports| (!binding.is_range).then(|| i32::from(ports.first));
    let range = |ports: Ports| binding.is_range.then(|| ports.to_string());
    NetworkBinding {
        bind_ip: Some("0.0.0.0".to_owned()),
        container_port: one(binding.container),
        host_port: one(binding.host),
        container_port_range: range(binding.container),
        host_port_range: range(binding.host),
        protocol: Some(match binding.protocol {
            Protocol::Tcp => TransportProtocol::Tcp,
            Protocol::Udp => TransportProtocol::Udp,
        }),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}
