//! All agents together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::channel::Channel;
use crate::lines::Lines;
use crate::site::Caller;

/// What the agents have come to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Agents that have acknowledged their manifest.
    pub connected: AtomicUsize,
    /// Tasks that came in payloads, and who waits for the next.
    pub told: AtomicUsize,
    pub more: Notify,
    /// Tasks whose RUNNING was acknowledged.
    pub reported: AtomicUsize,
    /// What ended an agent, or a report that was refused.
    pub failures: AtomicUsize,
    /// What fails from now on fails because all is over.
    ending: AtomicBool,
}

impl Tally {
    pub fn failed(&self, what: &str, error: &anyhow::Error) {
        if !self.ending.load(Ordering::Relaxed) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            eprintln!("load: {what}: {error:#}");
        }
    }
}

/// Agents that live as long as this does.
#[derive(Debug)]
pub struct Fleet {
    size: usize,
    tally: Arc<Tally>,
    _agents: JoinSet<()>,
}

impl Fleet {
    /// Registers them, one after the other, and lets each open its sessions.
    /// So many of them, the first, have a telemetry session too.
    pub async fn connect(caller: &Caller, size: usize, measuring: usize) -> anyhow::Result<Fleet> {
        let tally = Arc::new(Tally::default());
        let lines = Arc::new(Lines::new(caller.clone()));
        let mut channel = Channel::open(caller.clone()).await?;
        let mut agents = JoinSet::new();
        for number in 0..size {
            let agent = Agent::register(caller.clone(), &mut channel, tally.clone(), lines.clone()).await?;
            let tally = tally.clone();
            agents.spawn(async move {
                if let Err(error) = agent.run(number < measuring).await {
                    tally.failed("an agent's session ended", &error);
                }
            });
        }
        Ok(Fleet { size, tally, _agents: agents })
    }

    /// Whether all have connected.
    pub fn ready(&self) -> anyhow::Result<bool> {
        ensure!(self.failures() == 0, "{} agents could not connect", self.failures());
        Ok(self.tally.connected.load(Ordering::Relaxed) == self.size)
    }

    /// Tasks that agents were told of so far.
    pub fn told(&self) -> usize {
        self.tally.told.load(Ordering::Relaxed)
    }

    /// When so many tasks had been told of; `None` where that takes too long.
    pub async fn wait_until_told(&self, count: usize) -> Option<Instant> {
        let wait = async {
            loop {
                let more = self.tally.more.notified();
                if self.told() >= count {
                    return Instant::now();
                }
                more.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.ok()
    }

    pub fn reported(&self) -> usize {
        self.tally.reported.load(Ordering::Relaxed)
    }

    pub fn failures(&self) -> usize {
        self.tally.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.tally.ending.store(true, Ordering::Relaxed);
    }
}
