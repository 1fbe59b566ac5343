//! The TCS session: metrics every 5 s, health every 20 s, and health that has changed at once (agent
//! protocol §10).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use wire::Timestamp;
use wire::acs::Decoded;
use wire::sigv4::Request;
use wire::tcs::{
    HealthMetadata, MetricsMetadata, PublishHealthRequest, PublishMetricsRequest, SessionQuery, TaskHealth,
    TaskMetric, ToAgent, ToServer, join,
};

use super::backoff::Backoff;
use super::socket::{Ending, Socket};
use super::{AGENT_VERSION, Api};
use crate::engine::{Done, now_ms};

/// The ECS agent reports every 20 s; who watches `longshore top` wants to see it sooner.
const EVERY: Duration = Duration::from_secs(5);
const HEALTH_EVERY: Duration = Duration::from_secs(20);
/// The most tasks that one message may hold.
const TASKS_PER_PAGE: usize = 10;

/// Where the figures come from.
pub trait Telemetry: Send + Sync + 'static {
    /// Statistics of every running task over the time since the last call. Reads files: it may block.
    fn collect(&self) -> Vec<TaskMetric>;
    /// Of every task with a health check.
    fn health(&self) -> Vec<TaskHealth>;
    /// Of the tasks whose health has changed since one of these two was asked.
    fn changed_health(&self) -> Vec<TaskHealth>;
    /// Returns when there are such tasks.
    fn health_changes(&self) -> Done<'_>;
}

/// Everything the session needs; one per agent.
pub struct TcsSession {
    pub api: Api,
    /// TCS's endpoint, from DiscoverPollEndpoint.
    pub endpoint: String,
    pub cluster: String,
    pub arn: String,
    pub telemetry: Arc<dyn Telemetry>,
}

impl std::fmt::Debug for TcsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TcsSession").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl TcsSession {
    /// Connects again and again, for ever.
    pub async fn run(self) {
        let query = SessionQuery {
            cluster: self.cluster.clone(),
            container_instance: self.arn.clone(),
            agent_version: AGENT_VERSION.to_owned(),
            agent_hash: "longshore".to_owned(),
            docker_version: "containerd".to_owned(),
        };
        let query = query.encode();
        let mut backoff = Backoff::tcs();
        loop {
            match Socket::open(&self.api, &self.endpoint, &query).await {
                Ok(socket) => match self.serve(socket).await {
                    Ending::Soon => backoff.reset(),
                    Ending::Later => sleep(backoff.pause(rand::random())).await,
                },
                Err(error) => {
                    tracing::debug!(%error, "no TCS session");
                    sleep(backoff.pause(rand::random())).await;
                }
            }
        }
    }

    async fn serve(&self, mut socket: Socket) -> Ending {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut health_tick = interval(HEALTH_EVERY);
        health_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let spread = |s: f64| Duration::from_secs_f64(s * rand::random::<f64>());
        let old_age = Instant::now() + Duration::from_secs(30 * 60) + spread(300.0);
        let fresh = || Instant::now() + Duration::from_secs(60) + spread(60.0);
        let mut silence = fresh();
        loop {
            tokio::select! {
                text = socket.next() => match text {
                    Ok(text) => match ToAgent::decode(&text) {
                        Ok(Decoded::Known(ToAgent::StopTelemetrySessionMessage(_))) => return Ending::Later,
                        Ok(Decoded::Known(
                            ToAgent::HeartbeatMessage(_)
                            | ToAgent::AckPublishMetric(_)
                            | ToAgent::AckPublishHealth(_)
                            | ToAgent::AckPublishInstanceStatus(_),
                        )) => silence = fresh(),
                        Ok(Decoded::Known(other)) => tracing::debug!(?other, "TCS"),
                        Ok(Decoded::Unknown(_)) | Err(_) => {}
                    },
                    Err(ending) => return ending,
                },
                _ = tick.tick() => {
                    for page in self.pages().await {
                        let message = ToServer::PublishMetricsRequest(page);
                        if let Err(ending) = self.publish(&mut socket, message).await {
                            return ending;
                        }
                    }
                }
                _ = health_tick.tick() => {
                    for message in self.health_pages(self.telemetry.health()) {
                        if let Err(ending) = self.publish(&mut socket, message).await {
                            return ending;
                        }
                    }
                }
                // Who waits for a deployment waits for this. What a broken session swallows is told
                // at the beginning of the next.
                () = self.telemetry.health_changes() => {
                    for message in self.health_pages(self.telemetry.changed_health()) {
                        if let Err(ending) = self.publish(&mut socket, message).await {
                            return ending;
                        }
                    }
                }
                () = sleep_until(silence.min(old_age)) => {
                    socket.close().await;
                    return Ending::Soon;
                }
            }
        }
    }

    async fn pages(&self) -> Vec<PublishMetricsRequest> {
        let telemetry = self.telemetry.clone();
        // It fails only where collecting panicked or the runtime is going down.
        let collected = tokio::task::spawn_blocking(move || telemetry.collect()).await;
        let tasks = collected.unwrap_or_default();
        let message_id = uuid::Uuid::new_v4().to_string();
        let mut pages: Vec<Vec<TaskMetric>> = tasks.chunks(TASKS_PER_PAGE).map(<[_]>::to_vec).collect();
        if pages.is_empty() {
            pages.push(vec![]);
        }
        let last = pages.len() - 1;
        let page = |(n, task_metrics): (usize, Vec<TaskMetric>)| PublishMetricsRequest {
            metadata: MetricsMetadata {
                cluster: self.cluster.clone(),
                container_instance: self.arn.clone(),
                message_id: Some(message_id.clone()),
                idle: Some(task_metrics.is_empty()),
                fin: Some(n == last),
            },
            task_metrics,
            instance_metrics: None,
            timestamp: Some(Timestamp::from_ms(now_ms())),
        };
        pages.into_iter().enumerate().map(page).collect()
    }

    fn health_pages(&self, tasks: Vec<TaskHealth>) -> Vec<ToServer> {
        let message_id = uuid::Uuid::new_v4().to_string();
        let pages = tasks.len().div_ceil(TASKS_PER_PAGE);
        let page = |(n, tasks): (usize, &[TaskHealth])| {
            ToServer::PublishHealthRequest(PublishHealthRequest {
                metadata: HealthMetadata {
                    cluster: self.cluster.clone(),
                    container_instance: self.arn.clone(),
                    message_id: Some(message_id.clone()),
                    fin: Some(n + 1 == pages),
                },
                tasks: tasks.to_vec(),
                timestamp: Some(Timestamp::from_ms(now_ms())),
            })
        };
        tasks.chunks(TASKS_PER_PAGE).enumerate().map(page).collect()
    }

    /// Each frame carries a signature of its own: of a GET on the session's URL with the JSON as
    /// its body.
    async fn publish(&self, socket: &mut Socket, message: ToServer) -> Result<(), Ending> {
        let Ok(json) = message.encode() else { return Ok(()) };
        let headers = [("host", socket.host.as_str())];
        let request = Request {
            method: "GET",
            path: &socket.path,
            query: &socket.query,
            headers: &headers,
            body: json.as_bytes(),
        };
        let mut block = vec![("Host".to_owned(), socket.host.clone())];
        block.extend(self.api.sign(&request, "ecs", now_ms()));
        let text = join(&block, &json);
        socket.send(text).await
    }
}
