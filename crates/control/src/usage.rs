//! What tasks use, as their agents told it last (TCS, PublishMetricsRequest). Kept in memory only: it is
//! old after seconds, and the next report brings it again.
//!
//! An agent speaks for the tasks that were placed on it, and for no other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{InstanceId, Scope, Task, TaskId, World};
use serde::{Deserialize, Serialize};
use wire::tcs::metrics::{ContainerMetric, Statistics};
use wire::tcs::{MetricsMetadata, PublishMetricsRequest};

use crate::arn;

/// What `POST /longshore/usage` asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UsageRequest {
    /// A cluster's short name; all of the caller's clusters without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UsageAnswer {
    pub tasks: Vec<TaskUsage>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskUsage {
    pub task_arn: String,
    /// When it was told, in milliseconds since the epoch: an agent that is away leaves old figures.
    pub reported_at_ms: u64,
    pub containers: Vec<ContainerUsage>,
}

/// Over the time since the report before: a few seconds of our agent, twenty of the ECS agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerUsage {
    pub name: String,
    /// Average, of one core: 200 are two cores. Absent until there are two samples to compare.
    pub cpu_percent: Option<f64>,
    /// Average, without the page cache that can go at any time.
    pub memory_mib: Option<f64>,
    /// Told only where the container has a restart policy.
    pub restarts: Option<i64>,
}

/// The newest report of each instance.
#[derive(Debug, Default)]
pub struct Usages(Mutex<HashMap<InstanceId, HashMap<TaskId, Told>>>);

#[derive(Debug)]
struct Told {
    report: Option<String>,
    at_ms: u64,
    containers: Vec<ContainerUsage>,
}

impl Usages {
    /// Takes one page of a report.
    pub(crate) fn record(&self, world: &World, from: InstanceId, page: &PublishMetricsRequest, now_ms: u64) {
        let MetricsMetadata { message_id: report, fin, .. } = &page.metadata;
        let mut all = self.lock();
        let of_instance = all.entry(from).or_default();
        for metric in &page.task_metrics {
            let id = metric.task_arn.rsplit('/').next().and_then(|id| id.parse::<TaskId>().ok());
            let Some(task) = id.and_then(|id| world.task(id)).filter(|task| task.instance == from) else {
                continue;
            };
            let containers = metric.container_metrics.iter().filter_map(|m| container(task, m)).collect();
            of_instance.insert(task.id, Told { report: report.clone(), at_ms: now_ms, containers });
        }
        // What a whole report doesn't name runs no more.
        if *fin == Some(true) {
            of_instance.retain(|_, told| told.report == *report);
        }
    }

    /// The instance's session is over.
    pub(crate) fn forget(&self, instance: InstanceId) {
        self.lock().remove(&instance);
    }

    /// Of the live tasks of `scope`, ordered by ARN.
    pub(crate) fn answer(&self, world: &World, scope: &Scope, asked: &UsageRequest) -> UsageAnswer {
        let all = self.lock();
        let mut tasks: Vec<TaskUsage> = all
            .values()
            .flatten()
            .filter_map(|(id, told)| Some((world.task(*id)?, told)))
            .filter(|(task, _)| task.is_live() && task.cluster.scope == *scope)
            .filter(|(task, _)| {
                asked.cluster.as_deref().is_none_or(|name| task.cluster.name.as_str() == name)
            })
            .map(|(task, told)| TaskUsage {
                task_arn: arn::task(&task.cluster, task.id),
                reported_at_ms: told.at_ms,
                containers: told.containers.clone(),
            })
            .collect();
        tasks.sort_by(|a, b| a.task_arn.cmp(&b.task_arn));
        UsageAnswer { tasks }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, HashMap<TaskId, Told>>> {
        // The map is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By its name or, from agents that don't tell it, by its ARN. Another's container has no place here.
fn container(task: &Task, metric: &ContainerMetric) -> Option<ContainerUsage> {
    let id = metric.container_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
    let found = task.containers.iter().find(|container| match &metric.container_name {
        Some(name) => **name == *container.name,
        None => id.is_some_and(|id| id == container.id.to_string()),
    })?;
    Some(ContainerUsage {
        name: found.name.to_string(),
        cpu_percent: metric.cpu_stats_set.and_then(average),
        memory_mib: metric.memory_stats_set.and_then(average),
        restarts: metric.restart_stats_set.map(|restarts| restarts.restart_count),
    })
}

fn average(set: Statistics) -> Option<f64> {
    let value = set.sum / set.sample_count as f64;
    (set.sample_count > 0 && value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests;
