//! What a request names: short names and ARNs to the model's keys.

use model::{ClusterKey, DefinitionKey, InstanceId, Revision, Scope, ServiceKey, TaskId, World};
use wire::arn::{self, Home, Named};
use wire::{Context, Error};

/// The cluster that calls mean when they name none (ECS API reference).
pub(crate) const DEFAULT_CLUSTER: &str = "default";

pub(crate) fn scope(context: &Context) -> Scope {
    Scope::new(context.account.as_str(), context.region.as_str())
}

fn home(context: &Context) -> Home<'_> {
    Home { region: &context.region, account: &context.account }
}

/// A cluster's name or ARN; `None` is the default cluster. That it exists is not looked at.
pub(crate) fn cluster(context: &Context, text: Option<&str>) -> Result<ClusterKey, Error> {
    let text = text.unwrap_or(DEFAULT_CLUSTER);
    let named = arn::cluster(text)
        .ok_or_else(|| Error::invalid_parameter(format!("Invalid identifier: Unexpected cluster: {text}")))?;
    if !named.is_in(home(context)) {
        return Err(Error::cluster_not_found());
    }
    Ok(scope(context).cluster(named.name.as_str()))
}

/// As [`cluster`], for a cluster that must exist and be ACTIVE.
pub(crate) fn active_cluster(
    context: &Context,
    world: &World,
    text: Option<&str>,
) -> Result<ClusterKey, Error> {
    let key = cluster(context, text)?;
    if world.active_cluster(&key).is_none() {
        return Err(Error::cluster_not_found());
    }
    Ok(key)
}

/// Refuses an ARN of another cluster, account or region than the call's.
fn check_home(context: &Context, cluster: &ClusterKey, named: &Named, text: &str) -> Result<(), Error> {
    let elsewhere = named.cluster.as_deref().is_some_and(|own| own != cluster.name.as_str());
    if elsewhere || !named.is_in(home(context)) {
        return Err(Error::invalid_parameter(format!(
            "Invalid identifier: Identifier is for {text}. Your cluster is {}",
            cluster.name
        )));
    }
    Ok(())
}

/// A task's id or ARN, which must be of `cluster`.
pub(crate) fn task(context: &Context, cluster: &ClusterKey, text: &str) -> Result<TaskId, Error> {
    let named =
        arn::task(text).ok_or_else(|| Error::invalid_parameter("taskId length should be one of [32,36]"))?;
    check_home(context, cluster, &named, text)?;
    named.name.parse().map_err(|_| Error::invalid_parameter("taskId length should be one of [32,36]"))
}

/// A container instance's id or ARN, which must be of `cluster`.
pub(crate) fn instance(context: &Context, cluster: &ClusterKey, text: &str) -> Result<InstanceId, Error> {
    let malformed =
        || Error::invalid_parameter("The referenced container instance's identifier is malformed.");
    let named = arn::container_instance(text).ok_or_else(malformed)?;
    check_home(context, cluster, &named, text)?;
    named.name.parse().map_err(|_| malformed())
}

/// A service's name or ARN, which must be of `cluster`.
pub(crate) fn service(context: &Context, cluster: &ClusterKey, text: &str) -> Result<ServiceKey, Error> {
    let named = arn::service(text)
        .ok_or_else(|| Error::invalid_parameter(format!("Invalid identifier: Unexpected service: {text}")))?;
    check_home(context, cluster, &named, text)?;
    Ok(cluster.service(named.name.as_str()))
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
    let elsewhere =
        named.arn.as_ref().is_some_and(|arn| arn.region != context.region || arn.account != context.account);
    if elsewhere {
        return Err(missing());
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
