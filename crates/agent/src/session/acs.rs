//! The ACS session: the control plane says what to run, the agent acknowledges.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use wire::acs::{
    AckRequest, Decoded, HeartbeatAckRequest, IamRoleCredentialsAckRequest, NackRequest, PayloadMessage,
    SessionQuery, TaskManifestMessage, TaskStopVerificationMessage, ToAgent, ToServer, UpdateMessage,
};

use super::backoff::Backoff;
use super::manifest;
use super::socket::{Ending, Socket, SocketError};
use super::{AGENT_VERSION, Api};
use crate::engine::{Engine, Refusal, Reports};
use crate::state::{Instance, StateDir};
use crate::task::{Known, StateChange};

/// How long an instance that the control plane has forgotten waits before it asks again. (The ECS
/// agent waits an hour; who runs Longshore has restarted something and is watching.)
const INACTIVE_PAUSE: Duration = Duration::from_secs(60);

/// Everything the session needs; one per agent.
pub struct AcsSession {
    pub api: Api,
    pub engine: Engine,
    pub reports: Arc<dyn Reports>,
    pub dir: StateDir,
    pub instance: Mutex<Instance>,
    /// ACS's endpoint, from DiscoverPollEndpoint.
    pub endpoint: String,
    pub cluster: String,
    pub arn: String,
    /// Set to true while a session is open.
    pub connected: watch::Sender<bool>,
    pub had_connected: AtomicBool,
}

impl std::fmt::Debug for AcsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcsSession").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl AcsSession {
    /// Connects again and again, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut backoff = Backoff::acs();
        loop {
            let began = Instant::now();
            let pause = match self.connect().await {
                Ok(socket) => {
                    self.connected.send_replace(true);
                    let ending = self.serve(socket).await;
                    self.connected.send_replace(false);
                    if began.elapsed() > Duration::from_secs(60) || ending == Ending::Soon {
                        backoff.reset();
                    }
                    (ending == Ending::Later).then(|| backoff.pause(rand::random()))
                }
                Err(error @ SocketError::Inactive { .. }) => {
                    tracing::error!(%error, "tasks keep running");
                    Some(INACTIVE_PAUSE)
                }
                Err(error) => {
                    match error {
                        SocketError::Refused { .. } => tracing::warn!(%error, "no ACS session"),
                        _ => tracing::debug!(%error, "no ACS session"),
                    }
                    Some(backoff.pause(rand::random()))
                }
            };
            if let Some(pause) = pause {
                sleep(pause).await;
            }
        }
    }

    async fn connect(&self) -> Result<Socket, SocketError> {
        let query = SessionQuery {
            cluster: self.cluster.clone(),
            container_instance_arn: self.arn.clone(),
            agent_version: AGENT_VERSION.to_owned(),
            agent_hash: "longshore".to_owned(),
            docker_version: "containerd".to_owned(),
            send_credentials: !self.had_connected.load(Ordering::Relaxed),
        };
        let socket = Socket::open(&self.api, &self.endpoint, &query.encode()).await?;
        self.had_connected.store(true, Ordering::Relaxed);
        tracing::info!(endpoint = self.endpoint, "ACS session open");
        Ok(socket)
    }

    /// One session, until it ends, falls silent or grows old (agent protocol §7).
    async fn serve(&self, mut socket: Socket) -> Ending {
        let spread =
            |base: u64, extra: f64| Duration::from_secs_f64(base as f64 + extra * rand::random::<f64>());
        let old_age = Instant::now() + spread(30 * 60, 300.0);
        let mut silence = Instant::now() + spread(60, 60.0);
        let mut verifying = None;
        loop {
            let text = tokio::select! {
                text = socket.next() => match text { Ok(text) => text, Err(ending) => return ending },
                () = sleep_until(silence) => {
                    tracing::warn!("the control plane has fallen silent; connecting again");
                    return Ending::Soon;
                }
                () = sleep_until(old_age) => {
                    socket.close().await;
                    return Ending::Soon;
                }
            };
            let answers = match ToAgent::decode(&text) {
                Ok(Decoded::Known(message)) => {
                    silence = Instant::now() + spread(60, 60.0);
                    self.take(message, &mut verifying)
                }
                Ok(Decoded::Unknown(kind)) => {
                    tracing::debug!(kind, "a message of unknown type was left out");
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "a message could not be read and is not acknowledged");
                    continue;
                }
            };
            for answer in answers {
                match answer.encode() {
                    Ok(text) => {
                        if let Err(ending) = socket.send(text).await {
                            return ending;
                        }
                    }
                    Err(error) => tracing::error!(%error, "an answer could not be written"),
                }
            }
        }
    }

    /// Acts on one message; `verifying` is the manifest whose stops are to be confirmed.
    fn take(&self, message: ToAgent, verifying: &mut Option<String>) -> Vec<ToServer> {
        match message {
            ToAgent::HeartbeatMessage(m) => {
                let message_id = m.message_id.unwrap_or_default();
                vec![ToServer::HeartbeatAckRequest(HeartbeatAckRequest { message_id })]
            }
            ToAgent::PayloadMessage(m) => self.payload(m),
            ToAgent::TaskManifestMessage(m) => self.manifest(m, verifying),
            ToAgent::TaskStopVerificationAck(m) => {
                if verifying.as_deref() == Some(&m.message_id) {
                    *verifying = None;
                    m.stop_tasks.iter().for_each(|t| self.engine.stop(&t.task_arn));
                }
                vec![]
            }
            // No container is given credentials yet; to hold them is all that is asked.
            ToAgent::IamRoleCredentialsMessage(m)
                if self.engine.known().iter().any(|k| k.arn == m.task_arn) =>
            {
                vec![ToServer::IamRoleCredentialsAckRequest(IamRoleCredentialsAckRequest {
                    message_id: m.message_id,
                    credentials_id: m.role_credentials.credentials_id,
                    expiration: m.role_credentials.expiration,
                })]
            }
            ToAgent::StageUpdateMessage(m) | ToAgent::PerformUpdateMessage(m) => vec![refuse_update(m)],
            ToAgent::ErrorMessage(m) | ToAgent::CloseMessage(m) => {
                tracing::warn!(message = m.message, "the control plane says");
                vec![]
            }
            other => {
                tracing::warn!(?other, "a message that this agent does not act on was left out");
                vec![]
            }
        }
    }

    fn payload(&self, message: PayloadMessage) -> Vec<ToServer> {
        let PayloadMessage { message_id, cluster_arn, container_instance_arn, tasks, seq_num, .. } = message;
        if message_id.is_empty() || cluster_arn.is_empty() || container_instance_arn.is_empty() {
            return vec![];
        }
        if let Some(seq_num) = seq_num {
            self.advance(seq_num);
        }
        let mut answers = vec![ToServer::AckRequest(AckRequest {
            cluster: cluster_arn,
            container_instance: container_instance_arn,
            message_id: message_id.clone(),
        })];
        let mut all_taken = true;
        for task in manifest::in_order(tasks) {
            for credentials in
                [&task.role_credentials, &task.execution_role_credentials].into_iter().flatten()
            {
                answers.push(ToServer::IamRoleCredentialsAckRequest(IamRoleCredentialsAckRequest {
                    message_id: message_id.clone(),
                    credentials_id: credentials.credentials_id.clone(),
                    expiration: credentials.expiration.clone(),
                }));
            }
            let arn = task.arn.clone();
            if let Err(refusal) = self.engine.accept(task) {
                all_taken = false;
                self.not_taken(arn, refusal);
            }
        }
        if all_taken { answers } else { vec![] }
    }

    /// A task that can't even be written down is answered by its own STOPPED (agent protocol §4;
    /// the name is misspelled there).
    fn not_taken(&self, arn: String, refusal: Refusal) {
        tracing::error!(task = arn, reason = refusal.reason, "a task was not taken");
        if arn.is_empty() {
            return;
        }
        let change = StateChange {
            task: arn,
            status: Known::Stopped,
            reason: Some(format!("UnrecogniedTaskError: Error loading task - {}", refusal.reason)),
            containers: vec![],
            pull_started_ms: None,
            pull_stopped_ms: None,
            execution_stopped_ms: None,
        };
        let reports = self.reports.clone();
        tokio::spawn(async move { reports.submit(change).await });
    }

    fn manifest(&self, message: TaskManifestMessage, verifying: &mut Option<String>) -> Vec<ToServer> {
        if !manifest::is_news(&message, self.timeline()) {
            return vec![];
        }
        self.advance(message.timeline);
        self.remember_timeline();
        let mut answers = vec![ToServer::AckRequest(AckRequest {
            cluster: message.cluster_arn.clone(),
            container_instance: message.container_instance_arn.clone(),
            message_id: message.message_id.clone(),
        })];
        let stop_candidates = manifest::stop_candidates(&message, &self.engine.known());
        if !stop_candidates.is_empty() {
            *verifying = Some(message.message_id.clone());
            answers.push(ToServer::TaskStopVerificationMessage(TaskStopVerificationMessage {
                message_id: message.message_id,
                stop_candidates,
            }));
        }
        answers
    }

    fn timeline(&self) -> i64 {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner).timeline
    }

    fn advance(&self, to: i64) {
        let mut instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        instance.timeline = instance.timeline.max(to);
    }

    /// Only when a manifest is processed, as the ECS agent does it (agent protocol §7): what payloads have advanced in
    /// between may be forgotten, for the next session begins with a manifest that is newer still.
    fn remember_timeline(&self) {
        let instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.dir.save_instance(&instance) {
            tracing::error!(%error, "the timeline could not be written down");
        }
    }
}

fn refuse_update(message: UpdateMessage) -> ToServer {
    ToServer::NackRequest(NackRequest {
        cluster: message.cluster_arn,
        container_instance: message.container_instance_arn,
        message_id: message.message_id,
        reason: Some("updates are not enabled".into()),
    })
}
