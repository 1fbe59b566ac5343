//! What the tagging operations are about: from a resource's ARN to the resource, if it can have tags.

use model::command::Resource;
use model::{Home, InstanceStatus, ServiceStatus, Tags, TaskStatus, World};
use wire::arn::{self, Arn};
use wire::{Context, Error};

use super::reference;

/// The resource with the tags that it has; an error where it isn't there or is over.
///
/// Clusters, services, tasks, task definitions and container instances have tags; capacity providers
/// have them on AWS, and Longshore has none that a user made.
pub(crate) fn resource(context: &Context, world: &World, text: &str) -> Result<(Resource, Tags), Error> {
    let arn: Arn = text.parse().map_err(|_| malformed(text))?;
    let Some((kind, rest)) = arn.resource.split_once('/') else { return Err(malformed(text)) };
    if arn.service != "ecs" || rest.is_empty() {
        return Err(malformed(text));
    }
    let home = arn.region == context.region && arn.account == context.account;
    match kind {
        "cluster" => cluster(context, world, rest, home),
        "service" | "task" | "container-instance" => {
            // The old form, without the cluster (ECS developer guide, "Amazon Resource Names (ARNs) and IDs").
            let Some((cluster, name)) = rest.split_once('/') else {
                return Err(Error::invalid_parameter("Long arn format must be used for tagging operations"));
            };
            if !home {
                return Err(Error::cluster_not_found());
            }
            within_cluster(context, world, kind, cluster, name)
        }
        "task-definition" => definition(context, world, text, home),
        "capacity-provider" => Err(missing("capacity provider", "name or ARN")),
        _ => Err(Error::invalid_parameter(format!("Unsupported resource type: {kind}"))),
    }
}

fn malformed(text: &str) -> Error {
    Error::invalid_parameter(format!("Invalid ARN: {text} is not the ARN of an Amazon ECS resource."))
}

/// In the pattern of AWS's words for a capacity provider and a task definition.
fn missing(what: &str, valid: &str) -> Error {
    Error::invalid_parameter(format!(
        "The specified {what} does not exist. Specify a valid {valid} and try again."
    ))
}

/// In the pattern of AWS's words for a cluster.
fn over(what: &str, is: &str, wanted: &str) -> Error {
    Error::invalid_parameter(format!("The specified {what} is {is}. Specify {wanted} and try again."))
}

fn cluster(context: &Context, world: &World, name: &str, home: bool) -> Result<(Resource, Tags), Error> {
    let key = reference::scope(context).cluster(name);
    let found = world.cluster(&key).filter(|_| home).ok_or_else(Error::cluster_not_found)?;
    if found.status != model::ClusterStatus::Active {
        return Err(over("cluster", "inactive", "an active cluster"));
    }
    Ok((Resource::Cluster(key), found.tags.clone()))
}

fn within_cluster(
    context: &Context,
    world: &World,
    kind: &str,
    cluster: &str,
    name: &str,
) -> Result<(Resource, Tags), Error> {
    let cluster = reference::scope(context).cluster(cluster);
    if world.cluster(&cluster).is_none() {
        return Err(Error::cluster_not_found());
    }
    match kind {
        "service" => {
            let key = cluster.service(name);
            let found = world.service(&key).ok_or_else(|| missing("service", "name or ARN"))?;
            if found.status == ServiceStatus::Inactive {
                return Err(over("service", "inactive", "an active service"));
            }
            Ok((Resource::Service(key), found.tags.clone()))
        }
        "task" => {
            let absent = || missing("task", "ID or ARN");
            let id = name.parse().map_err(|_| absent())?;
            let found = world.task_in(&cluster, id).ok_or_else(absent)?;
            if found.last_status == TaskStatus::Stopped {
                return Err(over("task", "stopped", "a running task"));
            }
            Ok((Resource::Task(cluster, id), found.tags.clone()))
        }
        _ => {
            let absent = || missing("container instance", "ID or ARN");
            let id = name.parse().map_err(|_| absent())?;
            let in_cluster = Home::Cluster(cluster.clone());
            let found = world.instance(id).filter(|found| found.home == in_cluster).ok_or_else(absent)?;
            if found.status == InstanceStatus::Inactive {
                return Err(over("container instance", "inactive", "an active container instance"));
            }
            Ok((Resource::Instance(cluster, id), found.tags.clone()))
        }
    }
}

/// Of any status: a deregistered revision keeps its tags while it is there.
fn definition(context: &Context, world: &World, text: &str, home: bool) -> Result<(Resource, Tags), Error> {
    let absent = || missing("task definition", "account, family, revision");
    let named = arn::task_definition(text).ok_or_else(|| malformed(text))?;
    let revision = named.revision.ok_or_else(|| malformed(text))?;
    let key = reference::scope(context).definition(named.family.as_str(), revision);
    let found = world.definition(&key).filter(|_| home).ok_or_else(absent)?;
    Ok((Resource::Definition(key), found.tags.clone()))
}

#[cfg(test)]
mod tests;
