use std::collections::BTreeSet;
use std::sync::Arc;

use model::{ClusterKey, Task, TaskId, World};
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
    let ids = candidates(&context, &world, &cluster, &input, desired)?;
    let matching = ids.into_iter().filter_map(|id| world.task(id)).filter(|task| {
        task.desired_status.as_str() == desired.as_str()
            && (launch_type.is_empty() || task.launch_type.as_str() == launch_type)
            // There are no daemons here: no task is one's.
            && input.daemon_name.is_none()
    });
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

/// The tasks that every filter lets through which has an index, in the order of their ids.
fn candidates(
    context: &Context,
    world: &World,
    cluster: &ClusterKey,
    input: &ListTasksRequest,
    desired: DesiredStatus,
) -> Result<BTreeSet<TaskId>, Error> {
    let mut narrowed: Option<BTreeSet<TaskId>> = None;
    let mut narrow = |found: BTreeSet<TaskId>| {
        narrowed = Some(match narrowed.take() {
            Some(so_far) => so_far.intersection(&found).copied().collect(),
            None => found,
        });
    };
    fn ids<'a>(tasks: impl Iterator<Item = &'a Arc<Task>>) -> BTreeSet<TaskId> {
        tasks.map(|task| task.id).collect()
    }
    if let Some(text) = input.container_instance.as_deref() {
        let id = reference::instance(context, cluster, text)?;
        reference::instance_in(world, cluster, id)?;
        narrow(ids(world.tasks_on(id)));
    }
    if let Some(family) = input.family.as_deref() {
        narrow(ids(world.tasks_of_family(cluster, &family.into())));
    }
    if let Some(text) = input.service_name.as_deref() {
        let key = reference::service(context, cluster, text)?;
        if world.service(&key).is_none() {
            return Err(Error::new("ServiceNotFoundException", "Service not found."));
        }
        narrow(ids(world.live_tasks_of(&key).chain(world.stopped_tasks_of(&key))));
    }
    if let Some(by) = input.started_by.as_deref() {
        narrow(ids(world.tasks_started_by(cluster, &by.into())));
    }
    Ok(narrowed.unwrap_or_else(|| {
        let desired = match desired {
            DesiredStatus::Running => model::DesiredStatus::Running,
            DesiredStatus::Stopped => model::DesiredStatus::Stopped,
            DesiredStatus::Pending => return BTreeSet::new(),
        };
        ids(world.tasks(cluster, desired))
    }))
}
