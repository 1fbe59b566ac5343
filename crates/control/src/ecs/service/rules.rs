//! Rules for single members of CreateService and UpdateService.

use model::{ClusterKey, NetworkMode, Scope, TaskDefinition};
use wire::{Error, ecs};

const NAME_LENGTH: usize = 255;
/// ECS's quota "Tasks per service". Here it also bounds what one look at a service costs.
const MOST_TASKS: i32 = 5000;
const TOKEN_LENGTH: usize = 36;

/// "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens".
pub(crate) fn name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_LENGTH).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!(
        "Invalid service name: {name}. A name has up to {NAME_LENGTH} letters, numbers, underscores and hyphens."
    )))
}

pub(crate) fn desired_count(count: i32) -> Result<u32, Error> {
    u32::try_from(count).ok().filter(|_| count <= MOST_TASKS).ok_or_else(|| {
        Error::invalid_parameter(format!("desiredCount must be between 0 and {MOST_TASKS}, and is {count}."))
    })
}

/// In seconds, up to 2,147,483,647 (ECS API reference, CreateService).
pub(crate) fn grace(seconds: i32) -> Result<u32, Error> {
    u32::try_from(seconds).map_err(|_| {
        Error::invalid_parameter("healthCheckGracePeriodSeconds must be between 0 and 2147483647.")
    })
}

/// "Up to 36 ASCII characters in the range of 33-126 (inclusive)".
pub(crate) fn client_token(token: &str) -> Result<(), Error> {
    if token.len() <= TOKEN_LENGTH && token.bytes().all(|b| (33..=126).contains(&b)) {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!(
        "clientToken may have up to {TOKEN_LENGTH} ASCII characters in the range of 33-126."
    )))
}

/// The role to give back. A role of the caller's own is for classic load balancers alone, and those
/// are refused before.
pub(crate) fn role(
    scope: &Scope,
    definition: &TaskDefinition,
    given: Option<&str>,
) -> Result<Option<String>, Error> {
    let awsvpc = definition.network_mode == NetworkMode::Awsvpc;
    match given.filter(|role| !role.is_empty()) {
        Some(_) if awsvpc => Err(Error::invalid_parameter(
            "You cannot specify an IAM role for services that require a service linked role.",
        )),
        Some(_) => {
            Err(Error::invalid_parameter("A role may be specified only together with a load balancer."))
        }
        None => Ok(awsvpc.then(|| {
            format!(
                "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
                scope.account
            )
        })),
    }
}

/// Without room above the desired count tasks can't be moved between zones: then a service that
/// doesn't ask for rebalancing goes without, and one that does is refused.
pub(crate) fn rebalancing(
    given: Option<ecs::AvailabilityZoneRebalancing>,
    present: Option<ecs::AvailabilityZoneRebalancing>,
    maximum_percent: u32,
) -> Result<ecs::AvailabilityZoneRebalancing, Error> {
    use ecs::AvailabilityZoneRebalancing::{Disabled, Enabled};
    match given {
        Some(Enabled) if maximum_percent <= 100 => Err(Error::invalid_parameter(
            "Availability Zone rebalancing requires a maximumPercent greater than 100.",
        )),
        Some(given) => Ok(given),
        None if maximum_percent <= 100 => Ok(Disabled),
        None => Ok(present.unwrap_or(Enabled)),
    }
}

/// The answer where a service isn't there, or isn't any more.
pub(crate) fn not_found() -> Error {
    Error::new("ServiceNotFoundException", "Service not found.")
}

/// The cluster's entity, for a cluster that was found ACTIVE.
pub(crate) fn cluster<'w>(
    world: &'w model::World,
    key: &ClusterKey,
) -> Result<&'w std::sync::Arc<model::Cluster>, Error> {
    world.active_cluster(key).ok_or_else(Error::cluster_not_found)
}
