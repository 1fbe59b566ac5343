//! One simulated agent: speaks as ECS's own does and runs nothing.
//!
//! It acknowledges a payload at once, then reports each of its tasks RUNNING, at most ten reports at a
//! time (agent protocol, "State changes submitted by the agent").

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use wire::Timestamp;
use wire::acs::{AckRequest, Decoded, HeartbeatAckRequest, SessionQuery, Task, ToAgent, ToServer};
use wire::ecs::{self, ContainerStateChange, SubmitTaskStateChangeRequest};
use wire::tcs::{self, MetricsMetadata, PublishMetricsRequest};

use crate::CLUSTER;
use crate::channel::{Channel, now_ms};
use crate::fleet::Tally;
use crate::identity::{self, AGENT_VERSION};
use crate::lines::Lines;
use crate::site::Caller;
use crate::socket::Socket;

/// How many tasks' changes an agent submits at once.
const REPORTS: usize = 10;
const METRICS_EVERY: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Agent {
    caller: Caller,
    arn: String,
    acs: String,
    tcs: String,
    tally: Arc<Tally>,
    room: Arc<Semaphore>,
    lines: Arc<Lines>,
}

impl Agent {
    pub async fn register(
        caller: Caller,
        channel: &mut Channel,
        tally: Arc<Tally>,
        lines: Arc<Lines>,
    ) -> anyhow::Result<Agent> {
        let answer = channel.call::<ecs::ops::RegisterContainerInstance>(&identity::registration()).await?;
        let arn = answer.container_instance.and_then(|it| it.container_instance_arn).context("no ARN")?;
        let input = ecs::DiscoverPollEndpointRequest {
            cluster: Some(CLUSTER.to_owned()),
            container_instance: Some(arn.clone()),
        };
        let endpoints = channel.call::<ecs::ops::DiscoverPollEndpoint>(&input).await?;
        Ok(Agent {
            caller,
            arn,
            acs: endpoints.endpoint.context("no endpoint")?,
            tcs: endpoints.telemetry_endpoint.context("no telemetry endpoint")?,
            tally,
            room: Arc::new(Semaphore::new(REPORTS)),
            lines,
        })
    }

    /// Its sessions, until one of them ends.
    pub async fn run(self, telemetry: bool) -> anyhow::Result<()> {
        match telemetry {
            true => tokio::try_join!(self.commands(), self.telemetry()).map(drop),
            false => self.commands().await,
        }
    }

    async fn commands(&self) -> anyhow::Result<()> {
        let query = SessionQuery {
            cluster: CLUSTER.to_owned(),
            container_instance_arn: self.arn.clone(),
            agent_version: AGENT_VERSION.to_owned(),
            agent_hash: "load".to_owned(),
            docker_version: "load".to_owned(),
            send_credentials: true,
        };
        let mut socket = Socket::open(self.caller.clone(), &self.acs, query.encode()).await?;
        while let Some(text) = socket.next().await? {
            let Decoded::Known(message) = ToAgent::decode(&text)? else { continue };
            match message {
                ToAgent::HeartbeatMessage(beat) => {
                    let message_id = beat.message_id.unwrap_or_default();
                    let ack = ToServer::HeartbeatAckRequest(HeartbeatAckRequest { message_id });
                    socket.send(ack.encode()?).await?;
                }
                ToAgent::TaskManifestMessage(manifest) => {
                    socket.send(self.ack(manifest.cluster_arn, manifest.message_id).encode()?).await?;
                    self.tally.connected.fetch_add(1, Ordering::Relaxed);
                }
                ToAgent::PayloadMessage(payload) => {
                    self.tally.told.fetch_add(payload.tasks.len(), Ordering::Relaxed);
                    self.tally.more.notify_waiters();
                    socket.send(self.ack(payload.cluster_arn, payload.message_id).encode()?).await?;
                    let wanted = payload
                        .tasks
                        .into_iter()
                        .filter(|task| task.desired_status.as_deref() == Some("RUNNING"));
                    wanted.for_each(|task| self.start(task));
                }
                other => bail!("unexpected: {other:?}"),
            }
        }
        bail!("the server closed the session")
    }

    fn ack(&self, cluster: String, message_id: String) -> ToServer {
        ToServer::AckRequest(AckRequest { cluster, container_instance: self.arn.clone(), message_id })
    }

    /// Reports the task RUNNING, in its turn.
    fn start(&self, task: Task) {
        let agent = self.clone();
        tokio::spawn(async move {
            let Ok(_room) = agent.room.acquire().await else { return };
            match agent.report(&task).await {
                Ok(()) => drop(agent.tally.reported.fetch_add(1, Ordering::Relaxed)),
                Err(error) => agent.tally.failed(&task.arn, &error),
            }
        });
    }

    async fn report(&self, task: &Task) -> anyhow::Result<()> {
        let now = Timestamp::from_ms(now_ms());
        let running = |container: &wire::acs::Container| ContainerStateChange {
            container_name: Some(container.name.clone()),
            runtime_id: Some(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())),
            image_digest: Some(format!("sha256:{:064x}", 7)),
            status: Some("RUNNING".to_owned()),
            ..Default::default()
        };
        let input = SubmitTaskStateChangeRequest {
            cluster: Some(CLUSTER.to_owned()),
            task: Some(task.arn.clone()),
            status: Some("RUNNING".to_owned()),
            reason: Some(String::new()),
            containers: Some(task.containers.iter().map(running).collect()),
            pull_started_at: Some(now),
            pull_stopped_at: Some(now),
            ..Default::default()
        };
        self.lines.call::<ecs::ops::SubmitTaskStateChange>(&input).await
    }

    /// Metrics of an instance whose tasks have none yet; heartbeats need no answer.
    async fn telemetry(&self) -> anyhow::Result<()> {
        let query = tcs::SessionQuery {
            cluster: CLUSTER.to_owned(),
            container_instance: self.arn.clone(),
            agent_version: AGENT_VERSION.to_owned(),
            agent_hash: "load".to_owned(),
            docker_version: "load".to_owned(),
        };
        let mut socket = Socket::open(self.caller.clone(), &self.tcs, query.encode()).await?;
        let mut tick = interval(METRICS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                text = socket.next() => match text? {
                    Some(_) => {}
                    None => bail!("the server closed the telemetry session"),
                },
                _ = tick.tick() => {
                    let metrics = PublishMetricsRequest {
                        metadata: MetricsMetadata {
                            cluster: CLUSTER.to_owned(),
                            container_instance: self.arn.clone(),
                            message_id: Some(uuid::Uuid::new_v4().to_string()),
                            idle: Some(true),
                            fin: Some(true),
                        },
                        timestamp: Some(Timestamp::from_ms(now_ms())),
                        ..Default::default()
                    };
                    socket.send_signed(&tcs::ToServer::PublishMetricsRequest(metrics).encode()?).await?;
                }
            }
        }
    }
}
