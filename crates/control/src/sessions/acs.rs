//! The ACS session: tells an agent what to run. It wakes from commits and from a timer, and reads the
//! world anew each time, so that a missed wake-up can't lose work.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use model::{Command, ContainerInstance, Document, Event, Home, InstanceId, InstanceStatus, TaskId, World};
use plan::outbox::{self, Outbox, Told};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::acs::{self, Decoded, Refusal, SessionQuery, TaskIdentifier, ToAgent, ToServer};
use wire::ecs::VersionInfo;

use super::hub::{Hub, Question, Seat};
use super::payload::Runtime;
use super::renewals::Renewals;
use super::{handshake, identity, payload};
use crate::app::App;
use crate::arn;
use crate::ecs::image::OwnRegistry;
use crate::front::authenticate;
use crate::writer::SubmitError;

/// The official agent drops a session that is silent for one to two minutes.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An agent that has sent nothing for so long, heartbeats' acks included, is gone.
const SILENCE: Duration = Duration::from_secs(95);
/// How long an acknowledgement is kept for the task's first report. That says the same and is committed in any case, so
/// that a task which is quicker costs a commit less.
const REPORT_COMES: Duration = Duration::from_millis(250);
/// A session's end that couldn't be stored is recorded again after this.
const LEAVE_AGAIN: Duration = Duration::from_secs(1);
/// The largest message that an agent has reason to send.
const MAX_MESSAGE: usize = 1024 * 1024;

/// What a session needs of the server.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub app: Arc<App>,
    pub hub: Arc<Hub>,
}

/// `GET /acs/ws`
pub(crate) async fn open(State(sessions): State<Sessions>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let query = SessionQuery::parse(parts.uri.query().unwrap_or_default());
    let instance = match handshake::instance(&sessions.app, &parts, "ecs:Poll", &query.container_instance_arn)
    {
        Ok(instance) => instance.id,
        Err(refusal) => return refusal,
    };
    let called = authenticate::header(&parts, "host").map(ToOwned::to_owned);
    let scheme = authenticate::scheme(&parts).as_str();
    let visitor = Visitor {
        peer: authenticate::source(&parts),
        origin: called.as_ref().map(|host| format!("{scheme}://{host}")),
        called,
        query,
    };
    if let Some(there) = sessions.hub.answering(instance).await {
        let message = identity::taken(&visitor.query.container_instance_arn, there.peer, visitor.peer);
        tracing::warn!(%instance, message, "an agent is refused");
        return handshake::refuse(&Refusal { error: "InvalidInstanceException".into(), message });
    }
    match handshake::upgrade(&mut parts, MAX_MESSAGE).await {
        Ok(upgrade) => {
            upgrade.on_upgrade(move |socket| async move { run(sessions, socket, instance, visitor).await })
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// Who opens a session, and by which address.
#[derive(Debug)]
struct Visitor {
    peer: Option<IpAddr>,
    /// By which `host:port` it reached us.
    called: Option<String>,
    /// The same with its scheme.
    origin: Option<String>,
    query: SessionQuery,
}

async fn run(sessions: Sessions, socket: WebSocket, instance: InstanceId, visitor: Visitor) {
    let (seat, questions) = sessions.hub.sit(instance, visitor.peer);
    let app = sessions.app.clone();
    let Visitor { called, origin, query, .. } = visitor;
    let origin = origin.unwrap_or_else(|| app.config.endpoint.clone());
    let number = match welcome(&app, instance, &query).await {
        Ok(number) => number,
        Err(error) => {
            tracing::warn!(%instance, %error, "an agent's connection could not be recorded");
            sessions.hub.leave(&seat);
            return;
        }
    };
    tracing::info!(%instance, "agent connected");
    let mut session = Session {
        sessions: sessions.clone(),
        socket,
        seat: seat.clone(),
        called,
        own: OwnRegistry::of(&app.config),
        runtime: Runtime::of(&query, &origin, &app.config, &app.task_keys),
        renewals: Renewals::default(),
        outbox: Outbox::default(),
        manifest: None,
        questions,
        asking: None,
    };
    if query.send_credentials {
        session.credentials_are_wanted();
    }
    let why = session.converse().await;
    tracing::info!(%instance, why, "agent's session ended");
    if sessions.hub.leave(&seat)
        && let Some(session) = number
    {
        leave(&app, instance, session).await;
    }
}

/// Until it is recorded: an agent that seems to be there is never missed, and what it ran never replaced.
async fn leave(app: &App, id: InstanceId, session: u64) {
    while let Err(error) = app.submit(Command::EndSession { id, session }).await {
        tracing::debug!(instance = %id, %error, "an agent's leaving could not be recorded");
        if matches!(error, SubmitError::Refused(_) | SubmitError::Closed) {
            return;
        }
        tokio::time::sleep(LEAVE_AGAIN).await;
    }
}

/// Records that an agent is there, and which one it is: ECS's own says its version nowhere else.
/// Returns the session's number.
async fn welcome(app: &App, instance: InstanceId, query: &SessionQuery) -> Result<Option<u64>, SubmitError> {
    let begun = app.submit(Command::SetAgentConnected { id: instance, connected: true }).await?;
    let number = begun.events().iter().find_map(|event| match event {
        Event::InstanceUpdated(instance) => Some(instance.session),
        _ => None,
    });
    drop(begun);
    let info = VersionInfo {
        agent_version: Some(query.agent_version.clone()),
        agent_hash: Some(query.agent_hash.clone()),
        docker_version: Some(query.docker_version.clone()),
    };
    let Ok(info) = Document::of(&info) else { return Ok(number) };
    let known = app.world().instance(instance).and_then(|instance| instance.version_info.clone());
    if known.as_ref() != Some(&info) {
        let agent = query.agent_version.as_str().into();
        // It is no reason to send the agent away.
        if let Err(error) = app.submit(Command::ReportAgentVersion { id: instance, agent, info }).await {
            tracing::debug!(%instance, %error, "an agent's version could not be recorded");
        }
    }
    Ok(number)
}

struct Session {
    sessions: Sessions,
    socket: WebSocket,
    seat: Seat,
    /// By which `host:port` the agent reached us.
    called: Option<String>,
    own: OwnRegistry,
    runtime: Runtime,
    renewals: Renewals,
    outbox: Outbox,
    /// The manifest that the agent may answer with candidates to stop.
    manifest: Option<String>,
    questions: mpsc::Receiver<Question>,
    /// Who waits for the answer to which heartbeat.
    asking: Option<(String, Vec<Question>)>,
}

impl Session {
    /// Talks until one side ends it; returns why.
    async fn converse(&mut self) -> &'static str {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.reset();
        let mut heard = Instant::now();
        if self.introduce().await.is_err() {
            return "the connection broke";
        }
        loop {
            if !self.sessions.hub.holds(&self.seat) {
                return "a newer connection took over";
            }
            if self.is_deregistered() {
                // It comes back at once, and is told why not.
                let _ = self.socket.send(Message::Close(None)).await;
                return "the container instance was deregistered";
            }
            if self.send_due().await.is_err() || self.renew().await.is_err() {
                return "the connection broke";
            }
            let again = [self.outbox.wake_at_ms(), self.renewals.wake_at_ms()].into_iter().flatten().min();
            let again = again.map(|at_ms| {
                Instant::now() + Duration::from_millis(at_ms.saturating_sub(self.sessions.app.now_ms()))
            });
            let wake = self.seat.wake.clone();
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
                _ = heartbeat.tick() => {
                    if heard.elapsed() > SILENCE {
                        return "the agent fell silent";
                    }
                    let message_id = self.message_id();
                    if self.beat(message_id).await.is_err() {
                        return "the connection broke";
                    }
                }
                Some(question) = self.questions.recv() => {
                    if self.ask(question).await.is_err() {
                        return "the connection broke";
                    }
                }
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        heard = Instant::now();
                        if self.hear(&text).await.is_err() {
                            return "the connection broke";
                        }
                    }
                    Some(Ok(Message::Close(_))) | None => return "the agent closed it",
                    Some(Ok(_)) => {}
                    Some(Err(_)) => return "the connection broke",
                },
            }
        }
    }

    fn is_deregistered(&self) -> bool {
        let world = self.sessions.app.world();
        world.instance(self.seat.instance).is_none_or(|instance| instance.status == InstanceStatus::Inactive)
    }

    /// The manifest: what should run here. The payloads follow.
    async fn introduce(&mut self) -> Result<(), axum::Error> {
        let world = self.sessions.app.world();
        let Some(instance) = world.instance(self.seat.instance) else { return Ok(()) };
        let message_id = self.message_id();
        let timeline = self.outbox.number(instance);
        let manifest = acs::TaskManifestMessage {
            message_id: message_id.clone(),
            cluster_arn: self.cluster_arn(instance),
            container_instance_arn: self.instance_arn(instance),
            timeline,
            tasks: world
                .live_tasks_on(instance.id)
                .filter(|task| task.is_wanted())
                .map(|task| TaskIdentifier {
                    task_arn: arn::task(&task.cluster, task.id),
                    task_cluster_arn: Some(arn::cluster(&task.cluster)),
                    desired_status: Some(task.desired_status.as_str().to_owned()),
                })
                .collect(),
            generated_at: i64::try_from(self.sessions.app.now_ms()).ok(),
        };
        self.manifest = Some(message_id);
        self.send(&ToAgent::TaskManifestMessage(manifest)).await
    }

    async fn send_due(&mut self) -> Result<(), axum::Error> {
        let world = self.sessions.app.world();
        let Some(instance) = world.instance(self.seat.instance) else { return Ok(()) };
        let now_ms = self.sessions.app.now_ms();
        for tasks in self.outbox.due(&world, instance, now_ms) {
            let payload = self.payload(&world, instance, &tasks);
            let message_id = payload.message_id.clone();
            let given = payload.tasks.iter().filter(|task| task.has_credentials());
            given.filter_map(|task| named(&task.arn)).for_each(|id| self.renewals.given(id, now_ms));
            self.send(&ToAgent::PayloadMessage(payload)).await?;
            self.outbox.sent(message_id, tasks, now_ms);
        }
        Ok(())
    }

    /// A process that is new has forgotten what it was told of the tasks that it finds.
    fn credentials_are_wanted(&mut self) {
        let world = self.sessions.app.world();
        let known = world.live_tasks_on(self.seat.instance).filter(|task| task.acknowledged.is_some());
        known.for_each(|task| self.renewals.wanted(task.id));
    }

    /// After the payloads: what the agent has not heard of, it gives no credentials to.
    async fn renew(&mut self) -> Result<(), axum::Error> {
        let now_ms = self.sessions.app.now_ms();
        let world = self.sessions.app.world();
        for id in self.renewals.due(now_ms) {
            let Some(task) = world.task(id).filter(|_| outbox::is_wanted_on(&world, self.seat.instance, id))
            else {
                continue;
            };
            let given = payload::credentials(&world, task, &self.runtime, now_ms);
            for (role_type, role_credentials) in given.unwrap_or_default() {
                let message = acs::IamRoleCredentialsMessage {
                    message_id: self.message_id(),
                    task_arn: arn::task(&task.cluster, id),
                    task_cluster_arn: Some(arn::cluster(&task.cluster)),
                    role_type,
                    role_credentials,
                };
                self.send(&ToAgent::IamRoleCredentialsMessage(message)).await?;
                self.renewals.given(id, now_ms);
            }
        }
        Ok(())
    }

    fn payload(
        &mut self,
        world: &World,
        instance: &ContainerInstance,
        tasks: &[Told],
    ) -> acs::PayloadMessage {
        let now_ms = self.sessions.app.now_ms();
        let describe = |id: &TaskId| {
            let described = payload::task(world, world.task(*id)?, &self.runtime, now_ms);
            let mut task =
                described.inspect_err(|error| tracing::error!(%error, "a task can't be described")).ok()?;
            for container in &mut task.containers {
                let seen = self.called.as_deref().and_then(|host| self.own.as_called(&container.image, host));
                container.image = seen.unwrap_or_else(|| std::mem::take(&mut container.image));
            }
            Some(task)
        };
        acs::PayloadMessage {
            message_id: self.message_id(),
            cluster_arn: self.cluster_arn(instance),
            container_instance_arn: self.instance_arn(instance),
            tasks: tasks.iter().filter_map(|(id, _)| describe(id)).collect(),
            seq_num: Some(self.outbox.number(instance)),
            generated_at: i64::try_from(self.sessions.app.now_ms()).ok(),
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), axum::Error> {
        match ToServer::decode(text) {
            Ok(Decoded::Known(ToServer::AckRequest(ack))) => {
                if let Some(tasks) = self.outbox.acknowledged(&ack.message_id) {
                    self.acknowledge(tasks);
                }
            }
            Ok(Decoded::Known(ToServer::TaskStopVerificationMessage(candidates))) => {
                return self.verify_stops(candidates).await;
            }
            Ok(Decoded::Known(ToServer::HeartbeatAckRequest(ack))) => {
                let ours = self.asking.take_if(|(message_id, _)| *message_id == ack.message_id);
                for question in ours.into_iter().flat_map(|(_, waiting)| waiting) {
                    // Who asked may have given up.
                    let _ = question.send(());
                }
            }
            Ok(Decoded::Known(other)) => tracing::trace!(?other, "heard"),
            Ok(Decoded::Unknown(kind)) => tracing::debug!(kind, "an agent's message of unknown type"),
            Err(error) => tracing::warn!(%error, "an agent's message can't be read"),
        }
        Ok(())
    }

    /// Recorded beside the conversation: the next payload needn't wait for the commit.
    fn acknowledge(&self, mut tasks: Vec<Told>) {
        let (app, instance) = (self.sessions.app.clone(), self.seat.instance);
        tokio::spawn(async move {
            tokio::time::sleep(REPORT_COMES).await;
            let world = app.world();
            tasks.retain(|(id, desired)| {
                world.task(*id).is_some_and(|task| task.acknowledged < Some(*desired))
            });
            drop(world);
            if tasks.is_empty() {
                return;
            }
            if let Err(error) = app.submit(Command::AcknowledgePayload { instance, tasks }).await {
                tracing::warn!(%instance, %error, "an acknowledgement could not be recorded");
            }
        });
    }

    /// Of what the agent runs unbidden, stop all that nobody wants.
    async fn verify_stops(
        &mut self,
        candidates: acs::TaskStopVerificationMessage,
    ) -> Result<(), axum::Error> {
        if self.manifest.as_ref() != Some(&candidates.message_id) {
            return Ok(());
        }
        self.manifest = None;
        let world = self.sessions.app.world();
        let wanted = |candidate: &TaskIdentifier| {
            named(&candidate.task_arn).is_some_and(|id| outbox::is_wanted_on(&world, self.seat.instance, id))
        };
        let stop_tasks: Vec<TaskIdentifier> =
            candidates.stop_candidates.into_iter().filter(|candidate| !wanted(candidate)).collect();
        let answer = acs::TaskStopVerificationAck {
            message_id: candidates.message_id,
            stop_tasks,
            generated_at: i64::try_from(self.sessions.app.now_ms()).ok(),
        };
        self.send(&ToAgent::TaskStopVerificationAck(answer)).await
    }

    async fn send(&mut self, message: &ToAgent) -> Result<(), axum::Error> {
        let text = message.encode().map_err(axum::Error::new)?;
        self.socket.send(Message::text(text)).await
    }

    async fn beat(&mut self, message_id: String) -> Result<(), axum::Error> {
        let beat = acs::HeartbeatMessage { message_id: Some(message_id), healthy: Some(true) };
        self.send(&ToAgent::HeartbeatMessage(beat)).await
    }

    /// Whether the agent is there is told by its answer to a heartbeat of now: what it said before may have
    /// been on the way.
    async fn ask(&mut self, question: Question) -> Result<(), axum::Error> {
        if let Some((_, waiting)) = &mut self.asking {
            waiting.push(question);
            return Ok(());
        }
        let message_id = self.message_id();
        self.asking = Some((message_id.clone(), vec![question]));
        self.beat(message_id).await
    }

    fn message_id(&self) -> String {
        self.sessions.app.uuid().to_string()
    }

    fn instance_arn(&self, instance: &ContainerInstance) -> String {
        arn::instance(&instance.home, &self.sessions.app.config.home(), instance.id)
    }

    fn cluster_arn(&self, instance: &ContainerInstance) -> String {
        match &instance.home {
            Home::Cluster(cluster) => arn::cluster(cluster),
            Home::Pool => arn::cluster(&self.sessions.app.config.home().cluster(arn::POOL)),
        }
    }
}

/// The task that an ARN names.
fn named(arn: &str) -> Option<TaskId> {
    arn.rsplit('/').next()?.parse().ok()
}
