//! Asking for the facts: public operations only, each of which may know nothing any more.

use anyhow::Result;
use wire::{ecr, ecs, logs};

use super::facts::{Repository, ServiceFacts, Tail, TaskFacts};
use super::service::is_failure;
use crate::talk::{CallError, Client, now_ms};
use crate::{find, ps, tail};

/// Log lines of each container.
const LINES: i32 = 5;

pub async fn task(client: &Client, task: ecs::Task, program: String) -> Result<TaskFacts> {
    let definition = ecs::DescribeTaskDefinitionRequest {
        task_definition: task.task_definition_arn.clone().unwrap_or_default(),
        ..Default::default()
    };
    let definition = known(client.call::<ecs::ops::DescribeTaskDefinition>(&definition).await)?;
    let definition = definition.and_then(|answer| answer.task_definition);
    let cluster = task.cluster_arn.clone().unwrap_or_default();
    let service = match task.group.as_deref().and_then(|group| group.strip_prefix("service:")) {
        Some(name) => known(find::service(client, &cluster, name).await)?.flatten(),
        None => None,
    };
    let mut facts = TaskFacts { now_ms: now_ms(), program, definition, service, ..Default::default() };
    facts.instance = instance(client, &cluster, &task).await?;
    if let Some(definition) = &facts.definition {
        for (container, source) in tail::of_task(client, &task, definition) {
            facts.logs.push(Tail { container, lines: lines(client, &source).await? });
        }
    }
    for container in task.containers.iter().flatten() {
        let failed =
            container.reason.as_deref().is_some_and(|why| why.starts_with("CannotPullContainerError"));
        let image = container.image.as_deref().unwrap_or_default();
        if let Some(name) = ours(client, image).filter(|_| failed) {
            facts.repositories.push((image.to_owned(), repository(client, name).await?));
        }
    }
    facts.task = task;
    Ok(facts)
}

pub async fn service(client: &Client, service: ecs::Service, program: String) -> Result<ServiceFacts> {
    let cluster = service.cluster_arn.clone().unwrap_or_default();
    let name = service.service_name.clone().unwrap_or_default();
    let mut stopped = ps::tasks(client, &cluster, Some(&name), true).await?;
    stopped.retain(|task| task.last_status.as_deref() == Some("STOPPED"));
    stopped.sort_by_key(|task| std::cmp::Reverse(task.stopped_at));
    // One that failed before the newest deployment says nothing about it.
    let since = service.deployments.iter().flatten().filter_map(|deployment| deployment.created_at).max();
    let newest = stopped.iter().find(|task| is_failure(task) && task.stopped_at >= since).cloned();
    let failed = match newest {
        Some(newest) => Some(task(client, newest, program.clone()).await?),
        None => None,
    };
    Ok(ServiceFacts { now_ms: now_ms(), program, service, stopped, failed })
}

async fn instance(
    client: &Client,
    cluster: &str,
    task: &ecs::Task,
) -> Result<Option<ecs::ContainerInstance>, CallError> {
    let Some(arn) = task.container_instance_arn.clone() else { return Ok(None) };
    let request = ecs::DescribeContainerInstancesRequest {
        cluster: Some(cluster.to_owned()),
        container_instances: vec![arn],
        ..Default::default()
    };
    let answer = known(client.call::<ecs::ops::DescribeContainerInstances>(&request).await)?;
    Ok(answer.and_then(|answer| answer.container_instances?.into_iter().next()))
}

/// The last lines of a stream, oldest first.
async fn lines(client: &Client, source: &tail::Source) -> Result<Vec<String>, CallError> {
    let request = logs::GetLogEventsRequest {
        log_group_name: Some(source.group.clone()),
        log_stream_name: source.stream.clone(),
        start_from_head: Some(false),
        limit: Some(LINES),
        ..Default::default()
    };
    let client = client.in_region(&source.region);
    let answer = known(client.call::<logs::ops::GetLogEvents>(&request).await)?;
    let events = answer.and_then(|answer| answer.events).unwrap_or_default();
    Ok(events.into_iter().filter_map(|event| event.message).collect())
}

/// The repository that an image names, where it is one of this registry: by ECR's name for it, or by the
/// address of this endpoint.
fn ours<'a>(client: &Client, image: &'a str) -> Option<&'a str> {
    let (host, path) = image.split_once('/')?;
    let here = wire::endpoint::authority(client.endpoint());
    (host.contains(".dkr.ecr.") || host == here).then(|| crate::run::image::repository(path))
}

async fn repository(client: &Client, name: &str) -> Result<Repository, CallError> {
    let request = ecr::DescribeImagesRequest { repository_name: name.to_owned(), ..Default::default() };
    let name = name.to_owned();
    let Some(answer) = known(client.call::<ecr::ops::DescribeImages>(&request).await)? else {
        return Ok(Repository::Missing { name });
    };
    let mut images = answer.image_details.unwrap_or_default();
    images.sort_by_key(|image| std::cmp::Reverse(image.image_pushed_at));
    let tags: Vec<String> =
        images.into_iter().flat_map(|image| image.image_tags.unwrap_or_default()).collect();
    Ok(if tags.is_empty() { Repository::Empty { name } } else { Repository::Has { name, tags } })
}

/// What the server refuses to tell is not known (any more); what keeps it from answering is an error.
fn known<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}
