//! `longshore ps`: the tasks of a cluster.

use std::process::ExitCode;

use anyhow::Result;
use wire::ecs;

use crate::cli::PsArgs;
use crate::site::Site;
use crate::talk::{CallError, Client, ago, now_ms, table};

const HEAD: [&str; 8] = ["TASK", "GROUP", "DEFINITION", "STATUS", "HEALTH", "ADDRESS", "STARTED", "IMAGE"];
/// Digits of a task's id that are shown.
const SHORT: usize = 12;
/// DescribeTasks takes so many (ECS API reference).
const DESCRIBED_AT_ONCE: usize = 100;
/// Reasons are cut to this.
const REASON: usize = 80;

pub async fn ps(site: &Site, args: &PsArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let mut tasks = tasks(&client, &args.cluster, None, args.all).await?;
    tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at));
    if tasks.is_empty() {
        eprintln!("no tasks in the cluster {}", args.cluster);
        if !args.all {
            eprintln!("`{} --all` shows stopped ones too", site.call("ps"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let now_ms = now_ms();
    println!("{}", table(&HEAD, tasks.iter().map(|task| row(task, now_ms))));
    Ok(ExitCode::SUCCESS)
}

/// Tasks of a cluster or one of its services; with `stopped` those too.
pub async fn tasks(
    client: &Client,
    cluster: &str,
    service: Option<&str>,
    stopped: bool,
) -> Result<Vec<ecs::Task>, CallError> {
    let mut arns = vec![];
    let statuses = [Some(ecs::DesiredStatus::Running), stopped.then_some(ecs::DesiredStatus::Stopped)];
    for status in statuses.into_iter().flatten() {
        let mut list = ecs::ListTasksRequest {
            cluster: Some(cluster.to_owned()),
            service_name: service.map(ToOwned::to_owned),
            desired_status: Some(status),
            ..Default::default()
        };
        loop {
            let page = client.call::<ecs::ops::ListTasks>(&list).await?;
            arns.extend(page.task_arns.unwrap_or_default());
            list.next_token = page.next_token;
            if list.next_token.is_none() {
                break;
            }
        }
    }
    let mut tasks = vec![];
    for arns in arns.chunks(DESCRIBED_AT_ONCE) {
        let describe = ecs::DescribeTasksRequest {
            cluster: Some(cluster.to_owned()),
            tasks: arns.to_vec(),
            ..Default::default()
        };
        tasks.extend(client.call::<ecs::ops::DescribeTasks>(&describe).await?.tasks.unwrap_or_default());
    }
    Ok(tasks)
}

/// The ARNs of all clusters.
pub async fn clusters(client: &Client) -> Result<Vec<String>, CallError> {
    let mut arns = vec![];
    let mut list = ecs::ListClustersRequest::default();
    loop {
        let page = client.call::<ecs::ops::ListClusters>(&list).await?;
        arns.extend(page.cluster_arns.unwrap_or_default());
        list.next_token = page.next_token;
        if list.next_token.is_none() {
            return Ok(arns);
        }
    }
}

fn row(task: &ecs::Task, now_ms: u64) -> Vec<String> {
    let status = task.last_status.clone().unwrap_or_default();
    let is_stopped = status == "STOPPED";
    let definition = task.task_definition_arn.as_deref().map(id).unwrap_or_default();
    let group = task.group.as_deref().unwrap_or("-");
    let health = match task.health_status {
        Some(ecs::HealthStatus::Healthy) => "healthy",
        Some(ecs::HealthStatus::Unhealthy) => "unhealthy",
        _ => "-",
    };
    let last = if is_stopped { ending(task) } else { images(task) };
    vec![
        task.task_arn.as_deref().map(short).unwrap_or_default().to_owned(),
        group.strip_prefix("service:").unwrap_or(group).to_owned(),
        definition.to_owned(),
        status,
        health.to_owned(),
        address(task).unwrap_or("-").to_owned(),
        task.started_at.map_or_else(|| "-".to_owned(), |at| ago(at.ms(), now_ms)),
        last,
    ]
}

/// A task's IPv4 address in its own network namespace.
pub fn address(task: &ecs::Task) -> Option<&str> {
    let details = task.attachments.iter().flatten().flat_map(|a| a.details.iter().flatten());
    let of_attachment = details
        .filter(|detail| detail.name.as_deref() == Some("privateIPv4Address"))
        .find_map(|detail| detail.value.as_deref());
    let interfaces = task.containers.iter().flatten().flat_map(|c| c.network_interfaces.iter().flatten());
    of_attachment.or_else(|| interfaces.into_iter().find_map(|i| i.private_ipv4_address.as_deref()))
}

/// Why a task ended, in one line: its containers' own reasons say more than the task's.
pub fn ending(task: &ecs::Task) -> String {
    let containers = task.containers.as_deref().unwrap_or_default();
    let reason = containers.iter().find_map(|c| c.reason.as_deref()).or(task.stopped_reason.as_deref());
    let codes: Vec<String> = containers.iter().filter_map(|c| c.exit_code).map(|c| c.to_string()).collect();
    let mut text = match codes.is_empty() {
        true => String::new(),
        false => format!("exit {}", codes.join(", ")),
    };
    if let Some(reason) = reason {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&brief(reason));
    }
    match text.char_indices().nth(REASON) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A pull's failure without what was tried, so that what came of it is seen.
fn brief(reason: &str) -> String {
    let Some(rest) = reason.strip_prefix("CannotPullContainerError: ") else { return reason.to_owned() };
    let rest = rest.split_once(" time(s): ").map_or(rest, |(_, rest)| rest);
    let rest = rest
        .strip_prefix("failed to resolve ref ")
        .and_then(|rest| rest.split_once(": "))
        .map_or(rest, |(_, rest)| rest);
    format!("CannotPullContainerError: {rest}")
}

fn images(task: &ecs::Task) -> String {
    let names = task.containers.iter().flatten().filter_map(|c| c.image.as_deref());
    names.map(without_our_registry).collect::<Vec<_>>().join(", ")
}

/// `000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1` → `web:1`.
fn without_our_registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, rest)) if host.contains(".dkr.ecr.") => rest,
        _ => image,
    }
}

/// The last part of an ARN.
pub fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The beginning of a task's id.
pub fn short(arn: &str) -> &str {
    let id = id(arn);
    id.get(..SHORT).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(status: &str) -> ecs::Task {
        let detail = |name: &str, value: &str| ecs::KeyValuePair {
            name: Some(name.to_owned()),
            value: Some(value.to_owned()),
        };
        ecs::Task {
            task_arn: Some(format!("arn:aws:ecs:r:0:task/default/{}", "0123456789abcdef".repeat(2))),
            task_definition_arn: Some("arn:aws:ecs:r:0:task-definition/web:3".to_owned()),
            group: Some("service:web".to_owned()),
            last_status: Some(status.to_owned()),
            started_at: Some(wire::Timestamp::from_ms(1000)),
            stopped_reason: Some("Essential container in task exited".to_owned()),
            attachments: Some(vec![ecs::Attachment {
                details: Some(vec![detail("macAddress", "0a:00"), detail("privateIPv4Address", "10.0.0.2")]),
                ..Default::default()
            }]),
            containers: Some(vec![ecs::Container {
                image: Some("000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1".to_owned()),
                exit_code: (status == "STOPPED").then_some(137),
                reason: (status == "STOPPED").then(|| "OutOfMemoryError: killed".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        }
    }

    #[test]
    fn rows() {
        let rows =
            [row(&task("RUNNING"), 61_000), row(&task("STOPPED"), 61_000), row(&ecs::Task::default(), 0)];
        insta::assert_snapshot!(table(&HEAD, rows), @r"
        TASK          GROUP  DEFINITION  STATUS   HEALTH  ADDRESS   STARTED   IMAGE
        0123456789ab  web    web:3       RUNNING  -       10.0.0.2  60 s ago  web:1
        0123456789ab  web    web:3       STOPPED  -       10.0.0.2  60 s ago  exit 137: OutOfMemoryError: killed
                      -                           -       -         -
        ");
    }

    #[test]
    fn what_came_of_a_pull_is_seen() {
        let tried = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                     h:1/web:2: h:1/web:2: not found";
        assert_eq!(brief(tried), "CannotPullContainerError: h:1/web:2: not found");
        assert_eq!(brief("OutOfMemoryError: x"), "OutOfMemoryError: x");
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let mut long = task("STOPPED");
        long.containers = None;
        long.stopped_reason = Some("ü".repeat(200));
        assert_eq!(ending(&long).chars().count(), REASON + 1);
    }
}
