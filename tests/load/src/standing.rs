//! What services cost that stand still, and how soon a change of one among them comes to its agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;
use wire::ecs;

use crate::channel::Channel;
use crate::fleet::Fleet;
use crate::site::{Caller, Site, processor_time, resident_mib};
use crate::{CLUSTER, FAMILY, PATIENCE};

/// All services are looked at once a minute, whatever happens: one such look is in it.
const STILL: Duration = Duration::from_secs(70);
const CHANGES: usize = 100;

#[derive(Debug)]
pub struct Standing {
    pub services: usize,
    /// Tasks of each.
    pub each: i32,
    pub clients: usize,
}

impl Standing {
    pub async fn measure(
        &self,
        site: &Site,
        user: &Caller,
        fleet: &Fleet,
    ) -> anyhow::Result<serde_json::Value> {
        let begun = Instant::now();
        self.create(user).await?;
        let tasks = self.services * self.each as usize;
        while fleet.reported() < tasks {
            ensure!(begun.elapsed() < PATIENCE, "{} of {tasks} tasks are RUNNING", fleet.reported());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let all_running = begun.elapsed();
        self.come_to_rest(site).await?;

        let (before, begun) = (processor_time(site.pid())?, Instant::now());
        tokio::time::sleep(STILL).await;
        let used = processor_time(site.pid())?.saturating_sub(before);
        let share = 100.0 * used.as_secs_f64() / begun.elapsed().as_secs_f64();

        let mut told = Vec::new();
        let mut channel = Channel::open(user.clone()).await?;
        for number in 0..CHANGES {
            told.push(self.change(&mut channel, fleet, number * self.services / CHANGES).await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        told.sort_unstable();
        let ms = |of: Duration| (of.as_secs_f64() * 1e4).round() / 10.0;
        ensure!(fleet.failures() == 0, "agents were refused {} times", fleet.failures());
        Ok(json!({
            "standing_services": self.services,
            "standing_tasks": tasks,
            "standing_all_running_s": (all_running.as_secs_f64() * 10.0).round() / 10.0,
            "standing_core_percent": (share * 100.0).round() / 100.0,
            "standing_rss_mb": resident_mib(site.pid())?,
            "standing_change_to_agent_ms_p50": ms(told[CHANGES / 2]),
            "standing_change_to_agent_ms_p99": ms(told[CHANGES * 99 / 100]),
        }))
    }

    async fn create(&self, user: &Caller) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (mut channel, next) = (Channel::open(user.clone()).await?, next.clone());
            let (services, each) = (self.services, self.each);
            clients.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= services {
                        return anyhow::Ok(());
                    }
                    let input = ecs::CreateServiceRequest {
                        cluster: Some(CLUSTER.to_owned()),
                        service_name: name(number),
                        task_definition: Some(FAMILY.to_owned()),
                        desired_count: Some(each),
                        launch_type: Some(ecs::LaunchType::Ec2),
                        ..Default::default()
                    };
                    channel.call::<ecs::ops::CreateService>(&input).await?;
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok(())
    }

    /// Until the server does nothing worth mentioning: the last deployments complete after the last task runs.
    async fn come_to_rest(&self, site: &Site) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let before = processor_time(site.pid())?;
            tokio::time::sleep(Duration::from_secs(5)).await;
            if processor_time(site.pid())?.saturating_sub(before) < Duration::from_millis(500) {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the server doesn't come to rest");
        }
    }

    /// One task more, from the call until its agent has the payload: two commits, a plan and a placement are in it.
    async fn change(&self, channel: &mut Channel, fleet: &Fleet, number: usize) -> anyhow::Result<Duration> {
        let input = ecs::UpdateServiceRequest {
            cluster: Some(CLUSTER.to_owned()),
            service: name(number),
            desired_count: Some(self.each + 1),
            ..Default::default()
        };
        let told = fleet.told();
        let begun = Instant::now();
        let heard = fleet.wait_until_told(told + 1);
        let (answer, at) = tokio::join!(channel.call::<ecs::ops::UpdateService>(&input), heard);
        answer?;
        Ok(at.context("no agent was told of the change")?.duration_since(begun))
    }
}

fn name(number: usize) -> String {
    format!("service-{number}")
}
