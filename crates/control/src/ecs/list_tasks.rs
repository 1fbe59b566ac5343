use std::sync::Arc;

use model::world::TaskFilter;
use model::{ClusterKey, World};
use wire::ecs::{DesiredStatus, LaunchType, ListTasksRequest, ListTasksResponse};
use wire::{Context, Error};

use super::listing::Listing;
use super::reference;
use crate::app::App;
use crate::arn;

/// Without a desired status, the RUNNING ones; PENDING is never one (ECS API reference).
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListTasksRequest,
) -> Result<ListTasksResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    check_filters(&input)?;
    let desired = input.desired_status.unwrap_or(DesiredStatus::Running);
    let launch_type = input.launch_type.map_or("", LaunchType::as_str);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let filters = [
        text(&input.container_instance),
        text(&input.family),
        text(&input.service_name),
        text(&input.started_by),
        text(&input.daemon_name),
    ];
    let bound_to = [cluster.name.as_str(), desired.as_str(), launch_type];
    let listing = Listing::new(
        "ListTasks",
        &context,
        bound_to.into_iter().chain(filters.iter().map(String::as_str)),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let filter = filter(&context, &world, &cluster, &input, desired)?;
    // There are no daemons here: no task is one's.
    let filter = filter.as_ref().filter(|_| input.daemon_name.is_none());
    let after = listing.after().and_then(|id| id.parse().ok());
    let matching = filter.into_iter().flat_map(|filter| world.tasks_matching(filter, after));
    let matching = matching.filter(|task| launch_type.is_empty() || task.launch_type.as_str() == launch_type);
    let (page, next_token) = listing.page(matching, |task| task.id.to_string());
    let task_arns = Some(page.iter().map(|task| arn::task(&task.cluster, task.id)).collect());
    Ok(ListTasksResponse { task_arns, next_token })
}

/// "When you specify startedBy as the filter, it must be the only filter that you use"; the cluster and
/// the statuses that every list is of don't count.
fn check_filters(input: &ListTasksRequest) -> Result<(), Error> {
    let others = [
        (input.container_instance.is_some(), "containerInstance"),
        (input.family.is_some(), "family"),
        (input.service_name.is_some(), "serviceName"),
        (input.daemon_name.is_some(), "daemonName"),
    ];
    match others.iter().find(|(given, _)| *given) {
        Some((_, other)) if input.started_by.is_some() => {
            Err(Error::invalid_parameter(format!("startedBy can't be combined with {other}.")))
        }
        _ => Ok(()),
    }
}

/// `None` where no task can match.
fn filter(
    context: &Context,
    world: &World,
    cluster: &ClusterKey,
    input: &ListTasksRequest,
    desired: DesiredStatus,
) -> Result<Option<TaskFilter>, Error> {
    let mut instance = None;
    if let Some(text) = input.container_instance.as_deref() {
        let id = reference::instance(context, cluster, text)?;
        reference::instance_in(world, cluster, id)?;
        instance = Some(id);
    }
    let mut service = None;
    if let Some(text) = input.service_name.as_deref() {
        let key = reference::service(context, cluster, text)?;
        if world.service(&key).is_none() {
            return Err(Error::new("ServiceNotFoundException", "Service not found."));
        }
        service = Some(key);
    }
    let desired_status = match desired {
        DesiredStatus::Running => model::DesiredStatus::Running,
        DesiredStatus::Stopped => model::DesiredStatus::Stopped,
        DesiredStatus::Pending => return Ok(None),
    };
    Ok(Some(TaskFilter {
        cluster: cluster.clone(),
        desired_status,
        instance,
        service,
        family: input.family.as_deref().map(Into::into),
        started_by: input.started_by.as_deref().map(Into::into),
    }))
}
