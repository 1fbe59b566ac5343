//! What the tasks use: a sample of each container at each report to TCS. The processor time between two
//! is counted by the kernel, so a report misses nothing, however far apart they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use wire::Timestamp;
use wire::tcs::health::HealthStatus;
use wire::tcs::metrics::{RestartStatistics, Statistics};
use wire::tcs::{ContainerHealth, ContainerMetric, TaskHealth, TaskMetric};

use super::Host;
use crate::engine::{Done, Engine, Work};
use crate::session::Telemetry;
use crate::task::Health;

/// One reading of a container's cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Processor time so far, ns.
    pub cpu_ns: u64,
    pub memory_bytes: u64,
}

/// Samples of the running tasks.
#[derive(Debug)]
pub struct Usage {
    host: Arc<Host>,
    engine: Engine,
    series: Mutex<HashMap<(String, usize), Series>>,
}

#[derive(Debug, Default)]
struct Series {
    last: Option<(Instant, Reading)>,
    cpu: Statistics,
    memory: Statistics,
}

impl Usage {
    pub fn new(host: Arc<Host>, engine: Engine) -> Self {
        Usage { host, engine, series: Mutex::default() }
    }

    fn sample(&self, now: Instant) {
        let works = self.engine.works();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.retain(|(arn, _), _| works.iter().any(|w| w.task.arn == *arn));
        for work in works {
            for container in 0..work.containers.len() {
                if let Some(reading) = self.host.reading(&work, container) {
                    series.entry((work.task.arn.clone(), container)).or_default().add(now, reading);
                }
            }
        }
    }
}

impl Series {
    fn add(&mut self, now: Instant, reading: Reading) {
        if let Some((then, before)) = self.last {
            let ns = now.duration_since(then).as_nanos() as f64;
            let used = reading.cpu_ns.saturating_sub(before.cpu_ns) as f64;
            if ns > 0.0 {
                push(&mut self.cpu, 100.0 * used / ns);
            }
        }
        push(&mut self.memory, reading.memory_bytes as f64 / f64::from(1 << 20));
        self.last = Some((now, reading));
    }
}

fn push(set: &mut Statistics, value: f64) {
    set.min = if set.sample_count == 0 { value } else { set.min.min(value) };
    set.max = set.max.max(value);
    set.sum += value;
    set.sample_count += 1;
}

impl Telemetry for Usage {
    fn collect(&self) -> Vec<TaskMetric> {
        self.sample(Instant::now());
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let mut metrics = vec![];
        for work in self.engine.works() {
            let mut container_metrics = vec![];
            let vitals = work.vitals();
            for (n, c) in work.containers.iter().enumerate() {
                let Some(s) = series.get_mut(&(work.task.arn.clone(), n)) else { continue };
                let (cpu, memory) = (std::mem::take(&mut s.cpu), std::mem::take(&mut s.memory));
                if memory.sample_count > 0 {
                    container_metrics.push(ContainerMetric {
                        container_name: Some(c.payload.name.clone()),
                        container_arn: c.payload.container_arn.clone(),
                        cpu_stats_set: Some(cpu),
                        memory_stats_set: Some(memory),
                        restart_stats_set: vitals
                            .get(n)
                            .and_then(|v| v.restarts)
                            .map(|count| RestartStatistics { restart_count: i64::from(count) }),
                        ..Default::default()
                    });
                }
            }
            if !container_metrics.is_empty() {
                metrics.push(TaskMetric {
                    task_arn: work.task.arn.clone(),
                    cluster_arn: work.task.task_cluster_arn.clone(),
                    task_definition_family: Some(work.task.family.clone()),
                    task_definition_version: Some(work.task.version.clone()),
                    container_metrics,
                    ..Default::default()
                });
            }
        }
        metrics
    }

    fn health(&self) -> Vec<TaskHealth> {
        self.engine.health_changes().take();
        self.engine.works().iter().filter_map(|work| health_of(work)).collect()
    }

    fn changed_health(&self) -> Vec<TaskHealth> {
        let changed = self.engine.health_changes().take();
        let works = self.engine.works();
        works
            .iter()
            .filter(|work| changed.contains(&work.task.arn))
            .filter_map(|work| health_of(work))
            .collect()
    }

    fn health_changes(&self) -> Done<'_> {
        Box::pin(self.engine.health_changes().wait())
    }
}

/// Of a task that has a container with a health check.
fn health_of(work: &Work) -> Option<TaskHealth> {
    let vitals = work.vitals();
    let checked = work.containers.iter().zip(&vitals).filter_map(|(c, vital)| Some((c, vital.health?)));
    let containers: Vec<ContainerHealth> = checked
        .map(|(c, (health, since_ms))| ContainerHealth {
            container_name: c.payload.name.clone(),
            health_status: match health {
                Health::Unknown => HealthStatus::Unknown,
                Health::Healthy => HealthStatus::Healthy,
                Health::Unhealthy => HealthStatus::Unhealthy,
            },
            status_since: Some(Timestamp::from_ms(since_ms)),
            status_message: None,
        })
        .collect();
    (!containers.is_empty()).then(|| TaskHealth {
        task_arn: work.task.arn.clone(),
        cluster_arn: work.task.task_cluster_arn.clone(),
        task_definition_family: Some(work.task.family.clone()),
        task_definition_version: Some(work.task.version.clone()),
        containers,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percent_of_one_core_and_mebibytes() {
        let mut series = Series::default();
        let start = Instant::now();
        series.add(start, Reading { cpu_ns: 0, memory_bytes: 3 << 20 });
        let later = start + Duration::from_secs(2);
        series.add(later, Reading { cpu_ns: 3_000_000_000, memory_bytes: 1 << 20 });
        assert_eq!((series.cpu.sum, series.cpu.sample_count), (150.0, 1));
        assert_eq!((series.memory.min, series.memory.max, series.memory.sample_count), (1.0, 3.0, 2));
    }
}
