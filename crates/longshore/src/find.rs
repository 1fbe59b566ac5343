//! From what a person names to a task or a service: an id, its beginning, an ARN, a service's name.

use anyhow::{Result, bail};
use wire::ecs;

use crate::ps;
use crate::talk::{CallError, Client};

/// A task or a service, with the cluster that it is in.
#[derive(Debug)]
pub enum Found {
    Service(Box<ecs::Service>),
    Task(Box<ecs::Task>),
}

/// The cluster that an ARN names, else `cluster`.
pub fn cluster_of<'a>(name: &'a str, cluster: &'a str) -> &'a str {
    let parts =
        name.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)).map(|tail| tail.split('/'));
    // …:task/CLUSTER/ID and …:service/CLUSTER/NAME; the old short forms name no cluster.
    match parts.map(Iterator::collect::<Vec<_>>) {
        Some(parts) if parts.len() == 3 => parts[1],
        _ => cluster,
    }
}

/// A service goes before a task whose id begins like its name: ids are digits of sixteen, and rarely names.
pub async fn find(client: &Client, cluster: &str, name: &str) -> Result<Found> {
    let cluster = cluster_of(name, cluster);
    match service(client, cluster, ps::id(name)).await? {
        Some(service) => Ok(Found::Service(Box::new(service))),
        None => Ok(Found::Task(Box::new(task(client, cluster, name).await?))),
    }
}

pub async fn service(client: &Client, cluster: &str, name: &str) -> Result<Option<ecs::Service>, CallError> {
    let request = ecs::DescribeServicesRequest {
        cluster: Some(cluster.to_owned()),
        services: vec![name.to_owned()],
        ..Default::default()
    };
    Ok(client.call::<ecs::ops::DescribeServices>(&request).await?.services.into_iter().flatten().next())
}

/// By its id, or by the beginning of it where that is only one task's. Stopped ones too.
pub async fn task(client: &Client, cluster: &str, name: &str) -> Result<ecs::Task> {
    let wanted = ps::id(name);
    let begins =
        |task: &ecs::Task| task.task_arn.as_deref().is_some_and(|arn| ps::id(arn).starts_with(wanted));
    let mut tasks = ps::tasks(client, cluster, None, true).await?;
    tasks.retain(begins);
    match tasks.len() {
        1 => return Ok(tasks.remove(0)),
        0 => {}
        n => {
            let some: Vec<&str> =
                tasks.iter().filter_map(|task| task.task_arn.as_deref()).map(ps::short).take(5).collect();
            bail!("the ids of {n} tasks begin with {wanted} ({}, …); give more digits", some.join(", "))
        }
    }
    for other in ps::clusters(client).await?.iter().map(|arn| ps::id(arn)).filter(|other| *other != cluster) {
        let there = ps::tasks(client, other, None, true).await?.iter().any(begins);
        if there || service(client, other, wanted).await?.is_some() {
            bail!(
                "the cluster {cluster} has no task or service {wanted}, but {other} has: --cluster {other}"
            );
        }
    }
    bail!(
        "the cluster {cluster} has no service and no task named {wanted}; `longshore ps --all` shows the tasks, \
         stopped ones for as long as they are kept (24 h unless --stopped-task-retention says otherwise)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_its_cluster() {
        for (name, cluster) in [
            ("arn:aws:ecs:us-east-1:0:task/web/3f2a", "web"),
            ("arn:aws:ecs:us-east-1:0:service/prod/api", "prod"),
            ("arn:aws:ecs:us-east-1:0:task/3f2a", "default"),
            ("3f2a", "default"),
            ("arn:", "default"),
        ] {
            assert_eq!(cluster_of(name, "default"), cluster, "{name}");
        }
    }
}
