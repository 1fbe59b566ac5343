//! RunTask, ten tasks a call, from several connections at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::task::JoinSet;
use wire::ecs;

use crate::channel::Channel;
use crate::site::Caller;
use crate::{CLUSTER, FAMILY};

/// Tasks a call: the API's most.
pub const COUNT: usize = 10;

#[derive(Debug)]
pub struct Burst {
    pub caller: Caller,
    pub calls: usize,
    pub clients: usize,
}

/// Every call was answered with ten tasks.
#[derive(Debug)]
pub struct Taken {
    /// From the first call to the last answer.
    pub took: Duration,
    /// Of each call, in order.
    latencies: Vec<Duration>,
}

impl Taken {
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len() - 1;
        self.latencies[((share * self.latencies.len() as f64) as usize).min(last)]
    }
}

/// Of the answer only this is looked at: reading it whole would be the load's own work.
#[derive(Deserialize)]
struct Answer {
    tasks: Vec<IgnoredAny>,
    #[serde(default)]
    failures: Vec<serde_json::Value>,
}

impl Burst {
    pub async fn run(&self) -> anyhow::Result<Taken> {
        let mut channels = Vec::new();
        for _ in 0..self.clients {
            channels.push(Channel::open(self.caller.clone()).await?);
        }
        let left = Arc::new(AtomicUsize::new(self.calls));
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for channel in channels {
            clients.spawn(calls(channel, left.clone()));
        }
        let mut latencies = Vec::with_capacity(self.calls);
        while let Some(client) = clients.join_next().await {
            latencies.extend(client??);
        }
        let took = begun.elapsed();
        ensure!(latencies.len() == self.calls, "{} of {} calls were made", latencies.len(), self.calls);
        latencies.sort_unstable();
        Ok(Taken { took, latencies })
    }
}

async fn calls(mut channel: Channel, left: Arc<AtomicUsize>) -> anyhow::Result<Vec<Duration>> {
    let input = ecs::RunTaskRequest {
        cluster: Some(CLUSTER.to_owned()),
        task_definition: FAMILY.to_owned(),
        count: Some(i32::try_from(COUNT)?),
        launch_type: Some(ecs::LaunchType::Ec2),
        started_by: Some("load".to_owned()),
        ..Default::default()
    };
    let mut latencies = Vec::new();
    let take = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
        let begun = Instant::now();
        let body = channel.body::<ecs::ops::RunTask>(&input).await?;
        latencies.push(begun.elapsed());
        let answer: Answer = serde_json::from_slice(&body)?;
        ensure!(answer.tasks.len() == COUNT, "not all were placed: {:?}", answer.failures);
    }
    Ok(latencies)
}
