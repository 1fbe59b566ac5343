//! What a request names: short names and ARNs to the model's keys.

use model::{
    ClusterKey, ClusterStatus, DefinitionKey, DeploymentId, InstanceId, Revision, Scope, ServiceKey, TaskId,
    World,
};
use wire::arn::{self, Arn, Named};
use wire::{Context, Error};

/// The cluster that calls mean when they name none (ECS API reference).
pub(crate) const DEFAULT_CLUSTER: &str = "default";

pub(crate) fn scope(context: &Context) -> Scope {
    Scope::new(context.account.as_str(), context.region.as_str())
}

/// Refuses an ARN of another region or account than the call's. ECS's words: aws-cli's issue 3175, and
/// prometheus-ecs-discovery's issue 95, which quotes the beginning.
fn check_home(context: &Context, arn: Option<&Arn>) -> Result<(), Error> {
    match arn {
        Some(arn) if arn.region != context.region => Err(other_region()),
        Some(arn) if arn.account != context.account => Err(Error::invalid_parameter(format!(
            "Identifier is for {}. Your accountId is {}",
            arn.account, context.account
        ))),
        _ => Ok(()),
    }
}

fn other_region() -> Error {
    Error::invalid_parameter("Invalid Region in ARN")
}

/// A cluster's name or ARN; `None` is the default cluster. That it exists is not looked at.
pub(crate) fn cluster(context: &Context, text: Option<&str>) -> Result<ClusterKey, Error> {
    let text = text.unwrap_or(DEFAULT_CLUSTER);
    let named = arn::cluster(text)
        .ok_or_else(|| Error::invalid_parameter(format!("Invalid identifier: Unexpected cluster: {text}")))?;
    check_home(context, named.arn.as_ref())?;
    Ok(scope(context).cluster(named.name.as_str()))
}

/// As [`cluster`], for a cluster that must exist and be ACTIVE. ECS tells one that was deleted from one
/// that never was.
pub(crate) fn active_cluster(
    context: &Context,
    world: &World,
    text: Option<&str>,
) -> Result<ClusterKey, Error> {
    let key = cluster(context, text)?;
    match world.cluster(&key).map(|cluster| cluster.status) {
        Some(ClusterStatus::Active) => Ok(key),
        Some(ClusterStatus::Inactive) => Err(inactive_cluster()),
        None => Err(Error::cluster_not_found()),
    }
}

fn inactive_cluster() -> Error {
    Error::new("ClusterNotFoundException", "The referenced cluster was inactive.")
}

/// Refuses an identifier of another cluster than the call's, in ECS's words (aws-toolkit-vscode's issue
/// 2915).
fn check_cluster(context: &Context, cluster: &ClusterKey, named: &Named) -> Result<(), Error> {
    check_home(context, named.arn.as_ref())?;
    match named.cluster.as_deref() {
        Some(own) if own != cluster.name.as_str() => Err(Error::invalid_parameter(format!(
            "Invalid identifier: Identifier is for cluster {own}. Your cluster is {}",
            cluster.name
        ))),
        _ => Ok(()),
    }
}

/// A task's id or ARN, which must be of `cluster`.
pub(crate) fn task(context: &Context, cluster: &ClusterKey, text: &str) -> Result<TaskId, Error> {
    let named =
        arn::task(text).ok_or_else(|| Error::invalid_parameter("taskId length should be one of [32,36]"))?;
    check_cluster(context, cluster, &named)?;
    named.name.parse().map_err(|_| Error::invalid_parameter("taskId length should be one of [32,36]"))
}

/// A container instance's id or ARN, which must be of `cluster`.
pub(crate) fn instance(context: &Context, cluster: &ClusterKey, text: &str) -> Result<InstanceId, Error> {
    let malformed =
        || Error::invalid_parameter("The referenced container instance's identifier is malformed.");
    let named = arn::container_instance(text).ok_or_else(malformed)?;
    check_cluster(context, cluster, &named)?;
    named.name.parse().map_err(|_| malformed())
}

/// A service's name or ARN, which must be of `cluster`.
pub(crate) fn service(context: &Context, cluster: &ClusterKey, text: &str) -> Result<ServiceKey, Error> {
    let named = arn::service(text)
        .ok_or_else(|| Error::invalid_parameter(format!("Invalid identifier: Unexpected service: {text}")))?;
    check_cluster(context, cluster, &named)?;
    Ok(cluster.service(named.name.as_str()))
}

/// The service that the ARN of its deployment or revision names, which must be of the call's region and account.
fn of_service(context: &Context, named: arn::OfService) -> Result<(ServiceKey, String), Error> {
    check_home(context, Some(&named.arn))?;
    Ok((scope(context).cluster(named.cluster.as_str()).service(named.service.as_str()), named.id))
}

/// A task set's id or ARN, which must be of `service`.
pub(crate) fn task_set(context: &Context, service: &ServiceKey, text: &str) -> Result<DeploymentId, Error> {
    if !text.starts_with("arn:") {
        return Ok(DeploymentId::from(text));
    }
    let malformed = || Error::invalid_parameter(format!("Invalid identifier: Unexpected task set: {text}"));
    let (named, id) = of_service(context, arn::task_set(text).ok_or_else(malformed)?)?;
    if named != *service {
        return Err(malformed());
    }
    Ok(DeploymentId::from(id))
}

/// The service of a service deployment, and the last part of the ARN. That it exists is not looked at.
pub(crate) fn service_deployment(context: &Context, text: &str) -> Result<(ServiceKey, String), Error> {
    let malformed =
        || Error::invalid_parameter(format!("Invalid identifier: Unexpected service deployment: {text}"));
    of_service(context, arn::service_deployment(text).ok_or_else(malformed)?)
}

/// The service of a service revision, and the last part of the ARN. That it exists is not looked at.
pub(crate) fn service_revision(context: &Context, text: &str) -> Result<(ServiceKey, String), Error> {
    let malformed =
        || Error::invalid_parameter(format!("Invalid identifier: Unexpected service revision: {text}"));
    of_service(context, arn::service_revision(text).ok_or_else(malformed)?)
}

/// Refuses what belongs to no cluster or service that there is: the service may be INACTIVE.
pub(crate) fn known_service(world: &World, key: &ServiceKey) -> Result<(), Error> {
    match world.cluster(&key.cluster).map(|cluster| cluster.status) {
        None => Err(Error::cluster_not_found()),
        Some(ClusterStatus::Inactive) => Err(inactive_cluster()),
        Some(ClusterStatus::Active) if world.service(key).is_none() => {
            Err(Error::new("ServiceNotFoundException", "Service not found."))
        }
        Some(ClusterStatus::Active) => Ok(()),
    }
}

/// `family`, `family:revision` or an ARN, of any status; without a revision the latest ACTIVE one.
/// `missing`: the error where there is none, which differs between operations.
pub(crate) fn definition(
    context: &Context,
    world: &World,
    text: &str,
    missing: impl Fn() -> Error,
) -> Result<DefinitionKey, Error> {
    let named = arn::task_definition(text)
        .ok_or_else(|| Error::client(format!("Invalid revision number. Task definition: {text}")))?;
    match &named.arn {
        // amazon-ecs-cli's issue 821.
        Some(arn) if arn.region != context.region => return Err(other_region()),
        Some(arn) if arn.account != context.account => return Err(missing()),
        _ => {}
    }
    let scope = scope(context);
    let found = match named.revision {
        Some(revision) => {
            let key =
                DefinitionKey { scope, family: named.family.as_str().into(), revision: Revision(revision) };
            world.definition(&key)
        }
        None => world.latest_definition(&scope, &named.family.as_str().into()),
    };
    found.map(|definition| definition.key.clone()).ok_or_else(missing)
}

/// The instance, if it is one of the cluster's.
pub(crate) fn instance_in<'w>(
    world: &'w World,
    cluster: &ClusterKey,
    id: InstanceId,
) -> Result<&'w std::sync::Arc<model::ContainerInstance>, Error> {
    world
        .instance(id)
        .filter(|instance| instance.home == model::Home::Cluster(cluster.clone()))
        .ok_or_else(|| Error::invalid_parameter("The referenced container instance was not found."))
}

#[cfg(test)]
mod tests;
