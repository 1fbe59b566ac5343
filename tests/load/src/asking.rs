//! How soon the API answers while the site is full, and that what it answers is whole.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use wire::ecs;
use wire::operation::Operation;

use crate::channel::Channel;
use crate::{CLUSTER, FAMILY};

/// Calls of each operation, one after the other.
pub const CALLS: usize = 100;
/// The API's most of a page, and of one description.
const PAGE: i32 = 100;

/// Milliseconds of each operation: the median, and the slowest but one of a hundred.
pub async fn measure(channel: &mut Channel) -> anyhow::Result<Value> {
    let cluster = || Some(CLUSTER.to_owned());
    let input = ecs::ListTasksRequest { cluster: cluster(), max_results: Some(PAGE), ..Default::default() };
    let (list_tasks, listed) = ask::<ecs::ops::ListTasks>(channel, &input).await?;
    let tasks = listed.task_arns.context("no tasks")?;
    ensure!(tasks.len() == PAGE as usize, "{} tasks of a page", tasks.len());
    // From the middle of all: a page is as good as another.
    let input = ecs::ListTasksRequest { next_token: listed.next_token, ..input };
    let (list_next, _) = ask::<ecs::ops::ListTasks>(channel, &input).await?;

    let input = ecs::DescribeTasksRequest { cluster: cluster(), tasks: tasks.clone(), ..Default::default() };
    let (describe_tasks, described) = ask::<ecs::ops::DescribeTasks>(channel, &input).await?;
    ensure!(described.tasks.unwrap_or_default().len() == tasks.len(), "tasks are missing");

    let input = ecs::ListContainerInstancesRequest {
        cluster: cluster(),
        max_results: Some(PAGE),
        ..Default::default()
    };
    let (list_instances, listed) = ask::<ecs::ops::ListContainerInstances>(channel, &input).await?;
    let instances = listed.container_instance_arns.context("no instances")?;
    let input = ecs::DescribeContainerInstancesRequest {
        cluster: cluster(),
        container_instances: instances,
        ..Default::default()
    };
    let (describe_instances, _) = ask::<ecs::ops::DescribeContainerInstances>(channel, &input).await?;

    let input =
        ecs::DescribeClustersRequest { clusters: Some(vec![CLUSTER.to_owned()]), ..Default::default() };
    let (describe_clusters, _) = ask::<ecs::ops::DescribeClusters>(channel, &input).await?;

    let input = ecs::RunTaskRequest {
        cluster: cluster(),
        task_definition: FAMILY.to_owned(),
        launch_type: Some(ecs::LaunchType::Ec2),
        ..Default::default()
    };
    let (run_task, _) = ask::<ecs::ops::RunTask>(channel, &input).await?;
    let input = ecs::StopTaskRequest { cluster: cluster(), task: tasks[0].clone(), ..Default::default() };
    let (stop_task, _) = ask::<ecs::ops::StopTask>(channel, &input).await?;
    Ok(json!({
        "RunTask": run_task,
        "StopTask": stop_task,
        "ListTasks": list_tasks,
        "ListTasks, next page": list_next,
        "DescribeTasks of 100": describe_tasks,
        "ListContainerInstances": list_instances,
        "DescribeContainerInstances of 100": describe_instances,
        "DescribeClusters": describe_clusters,
    }))
}

/// The median and the 99th of a hundred, in milliseconds, and the last answer.
async fn ask<O: Operation>(channel: &mut Channel, input: &O::Input) -> anyhow::Result<([f64; 2], O::Output)> {
    let mut took = Vec::with_capacity(CALLS);
    let mut answer = None;
    for _ in 0..CALLS {
        let begun = Instant::now();
        let body = channel.body::<O>(input).await?;
        took.push(begun.elapsed());
        answer = Some(body);
    }
    took.sort_unstable();
    let ms = |of: Duration| (of.as_secs_f64() * 1e5).round() / 100.0;
    let answer = serde_json::from_slice(&answer.context("no call was made")?)?;
    Ok(([ms(took[CALLS / 2]), ms(took[CALLS - 2])], answer))
}
