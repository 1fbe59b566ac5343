//! A cluster as the API gives it.

use model::{CapacityStrategyItem, Cluster, Document, World};
use serde::de::DeserializeOwned;
use wire::ecs::{self, ClusterField};

use super::tags;
use crate::arn;

/// What the API gives besides, where it is asked for (`include`).
pub(crate) fn to_wire(world: &World, cluster: &Cluster, include: &[ClusterField]) -> ecs::Cluster {
    let counts = world.cluster_counts(&cluster.key);
    let wants = |field| include.contains(&field);
    let number = |count: usize| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let statistic = |name: &str, count: usize| ecs::KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(count.to_string()),
    };
    ecs::Cluster {
        cluster_arn: Some(arn::cluster(&cluster.key)),
        cluster_name: Some(cluster.key.name.to_string()),
        status: Some(cluster.status.as_str().to_owned()),
        registered_container_instances_count: number(counts.registered_instances),
        running_tasks_count: number(counts.running_tasks),
        pending_tasks_count: number(counts.pending_tasks),
        active_services_count: number(counts.active_services),
        statistics: Some(if wants(ClusterField::Statistics) {
            statistics(world, cluster, statistic)
        } else {
            Vec::new()
        }),
        tags: if wants(ClusterField::Tags) { tags::to_wire(&cluster.tags) } else { Some(Vec::new()) },
        settings: if wants(ClusterField::Settings) {
            read(cluster.settings.as_ref()).or(Some(Vec::new()))
        } else {
            Some(Vec::new())
        },
        attachments: wants(ClusterField::Attachments).then(Vec::new),
        configuration: read(cluster.configuration.as_ref()).filter(|_| wants(ClusterField::Configurations)),
        capacity_providers: Some(cluster.capacity_providers.iter().map(ToString::to_string).collect()),
        default_capacity_provider_strategy: Some(strategy(&cluster.default_strategy)),
        service_connect_defaults: read(cluster.service_connect_defaults.as_ref()),
        ..ecs::Cluster::default()
    }
}

/// The counts by launch type (ECS API reference, Cluster.statistics).
fn statistics(
    world: &World,
    cluster: &Cluster,
    statistic: impl Fn(&str, usize) -> ecs::KeyValuePair,
) -> Vec<ecs::KeyValuePair> {
    use model::{DesiredStatus, LaunchType, ServiceStatus, TaskStatus};
    let mut all = Vec::new();
    let launch_types =
        [(LaunchType::Ec2, "EC2"), (LaunchType::Fargate, "Fargate"), (LaunchType::External, "External")];
    let tasks: Vec<_> = [DesiredStatus::Running, DesiredStatus::Stopped]
        .into_iter()
        .flat_map(|desired| world.tasks(&cluster.key, desired))
        .collect();
    for (launch_type, name) in launch_types {
        let of = |test: fn(TaskStatus) -> bool| {
            tasks.iter().filter(|task| task.launch_type == launch_type && test(task.last_status)).count()
        };
        all.push(statistic(&format!("running{name}TasksCount"), of(|status| status == TaskStatus::Running)));
        all.push(statistic(&format!("pending{name}TasksCount"), of(|status| status < TaskStatus::Running)));
        let services = |wanted: ServiceStatus| {
            let launch = |service: &model::Service| service.primary().map(|primary| primary.launch_type);
            let found = world.services(&cluster.key);
            found.filter(|s| s.status == wanted && launch(s) == Some(launch_type)).count()
        };
        all.push(statistic(&format!("active{name}ServiceCount"), services(ServiceStatus::Active)));
        all.push(statistic(&format!("draining{name}ServiceCount"), services(ServiceStatus::Draining)));
    }
    all
}

pub(crate) fn strategy(items: &[CapacityStrategyItem]) -> Vec<ecs::CapacityProviderStrategyItem> {
    items
        .iter()
        .map(|item| ecs::CapacityProviderStrategyItem {
            capacity_provider: item.provider.to_string(),
            weight: i32::try_from(item.weight).ok(),
            base: i32::try_from(item.base).ok(),
        })
        .collect()
}

/// A document that we wrote ourselves; one that can't be read is left out.
fn read<T: DeserializeOwned>(document: Option<&Document>) -> Option<T> {
    document.and_then(|document| document.to().ok())
}
