//! What `/metrics` shows, in Prometheus' text format.

use std::time::Duration;

use model::{InstanceStatus, ServiceStatus, TaskStatus, World};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// An API call and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    service: &'static str,
    operation: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    status: &'static str,
}

#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<Call, Counter>,
    call_seconds: Histogram,
    commits: Counter,
    commands: Counter,
    events: Counter,
    commit_seconds: Histogram,
    tasks: Family<State, Gauge>,
    services: Family<State, Gauge>,
    instances: Family<State, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        // From a quarter of a millisecond to 16 seconds.
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 17));
        let mut metrics = Metrics {
            registry: Registry::with_prefix("longshore"),
            calls: Family::default(),
            call_seconds: seconds(),
            commits: Counter::default(),
            commands: Counter::default(),
            events: Counter::default(),
            commit_seconds: seconds(),
            tasks: Family::default(),
            services: Family::default(),
            instances: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("api_calls", "API calls by operation and HTTP status", metrics.calls.clone());
        registry.register_with_unit(
            "api_call",
            "Time from a whole request to its answer",
            Unit::Seconds,
            metrics.call_seconds.clone(),
        );
        registry.register("commits", "Durable commits of the state", metrics.commits.clone());
        registry.register("commands", "Commands that the commits carried out", metrics.commands.clone());
        registry.register("events", "Events that the commits hold", metrics.events.clone());
        registry.register_with_unit(
            "commit",
            "Time that one group of commands took, its commit included",
            Unit::Seconds,
            metrics.commit_seconds.clone(),
        );
        registry.register("tasks", "Tasks known, by lastStatus", metrics.tasks.clone());
        registry.register("services", "Services known, by status", metrics.services.clone());
        registry.register("instances", "Machines known, by status", metrics.instances.clone());
        metrics
    }
}

impl Metrics {
    pub(crate) fn called(&self, service: &'static str, operation: &str, status: u16, took: Duration) {
        let call = Call { service, operation: operation.to_owned(), status };
        self.calls.get_or_create(&call).inc();
        self.call_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn committed(&self, commands: usize, events: usize, took: Duration) {
        self.commits.inc();
        self.commands.inc_by(commands as u64);
        self.events.inc_by(events as u64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// The text of `/metrics`, with the world's figures as they are now.
    pub(crate) fn render(&self, world: &World) -> Result<String, std::fmt::Error> {
        count(&self.tasks, TaskStatus::ALL, TaskStatus::as_str, world.all_tasks().map(|t| t.last_status));
        count(
            &self.services,
            ServiceStatus::ALL,
            ServiceStatus::as_str,
            world.all_services().map(|s| s.status),
        );
        count(
            &self.instances,
            InstanceStatus::ALL,
            InstanceStatus::as_str,
            world.all_instances().map(|i| i.status),
        );
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn count<S: Copy + Eq>(
    gauges: &Family<State, Gauge>,
    all: &[S],
    name: impl Fn(S) -> &'static str,
    found: impl Iterator<Item = S>,
) {
    let mut counts = vec![0; all.len()];
    for status in found {
        if let Some(index) = all.iter().position(|known| *known == status) {
            counts[index] += 1;
        }
    }
    for (status, count) in all.iter().zip(counts) {
        gauges.get_or_create(&State { status: name(*status) }).set(count);
    }
}
