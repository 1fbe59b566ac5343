//! Why a command changed nothing. Each says enough for the API to answer in ECS's words.

use crate::{
    entity::{InstanceStatus, ServiceDeploymentStatus, TokenResult},
    ids::{DeploymentId, Family, InstanceId, TaskId},
    key::{ClusterKey, DefinitionKey, ServiceKey},
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("cluster {0} does not exist or is INACTIVE")]
    ClusterNotFound(ClusterKey),
    #[error("cluster {0} has services")]
    ClusterContainsServices(ClusterKey),
    #[error("cluster {0} has tasks")]
    ClusterContainsTasks(ClusterKey),
    #[error("cluster {0} has container instances")]
    ClusterContainsContainerInstances(ClusterKey),
    #[error("task definition {0} does not exist")]
    DefinitionNotFound(DefinitionKey),
    #[error("task definition {0} is not ACTIVE")]
    DefinitionInactive(DefinitionKey),
    /// Only INACTIVE definitions can be deleted.
    #[error("task definition {0} is still ACTIVE")]
    DefinitionActive(DefinitionKey),
    #[error("container instance {0} does not exist")]
    InstanceNotFound(InstanceId),
    /// It has been deregistered; its agent must register anew.
    #[error("container instance {0} is INACTIVE")]
    InstanceInactive(InstanceId),
    #[error("container instance {0} belongs elsewhere and cannot move")]
    InstanceElsewhere(InstanceId),
    /// Running tasks, and `force` was not given.
    #[error("container instance {0} has {1} tasks")]
    InstanceContainsTasks(InstanceId, usize),
    #[error("container instance {0} cannot go from {1} to {2}")]
    InvalidTransition(InstanceId, InstanceStatus, InstanceStatus),
    #[error("task {0} does not exist")]
    TaskNotFound(TaskId),
    #[error("service {0} does not exist")]
    ServiceNotFound(ServiceKey),
    #[error("service {0} is not ACTIVE")]
    ServiceNotActive(ServiceKey),
    /// The service is there, ACTIVE.
    #[error("service {0} exists already")]
    ServiceExists(ServiceKey),
    #[error("service {0} is still draining")]
    ServiceDraining(ServiceKey),
    /// A deletion without `force` of a service that is to have tasks.
    #[error("service {0} is scaled above 0")]
    ServiceScaledAboveZero(ServiceKey),
    #[error("there is no record of the deployment {0}")]
    DeploymentNotFound(DeploymentId),
    /// It can't be stopped any more.
    #[error("the deployment {0} is {1}")]
    DeploymentOver(DeploymentId, ServiceDeploymentStatus),
    #[error("there is no task set {0}")]
    TaskSetNotFound(DeploymentId),
    /// A deletion without `force` of one that is to have tasks.
    #[error("the task set {0} is scaled above 0")]
    TaskSetScaledAboveZero(DeploymentId),
    /// Its deployments aren't anybody else's.
    #[error("service {0} has no task sets")]
    NoTaskSets(ServiceKey),
    /// No deployment is paused by such a hook, or not any more.
    #[error("no hook {0} waits for an action")]
    NotPaused(std::sync::Arc<str>),
    /// There was none, or it was revoked, or the secret is another.
    #[error("the join token is not known")]
    JoinTokenUnknown,
    #[error("the join token has expired")]
    JoinTokenExpired(u64),
    #[error("the join token has been used as often as it may be")]
    JoinTokenUsed,
    #[error("the same token came before with other parameters")]
    TokenReused,
    /// The call was carried out before; this is what it brought about.
    #[error("the call with this token was carried out before")]
    AlreadyDone(TokenResult),
    /// An id in the command is in use. Ids are random, so this is the caller's mistake.
    #[error("id {0} is in use")]
    IdInUse(TaskId),
    #[error("{0} tags are more than a resource may have")]
    TooManyTags(usize),
    #[error("container instance {0} would have {1} custom attributes")]
    TooManyAttributes(InstanceId, usize),
    #[error("the resource to tag does not exist")]
    ResourceNotFound,
    /// What the plan was made from has changed and the plan no longer fits: plan again.
    #[error("the plan no longer fits: {0}")]
    StaleSnapshot(Stale),
}

/// What no longer fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    #[error("service {service} is at version {actual}, not {expected}")]
    Service { service: ServiceKey, expected: u64, actual: u64 },
    #[error("container instance {0} takes no tasks now")]
    InstanceUnavailable(InstanceId),
    #[error("container instance {0} has too little processor or memory left")]
    Size(InstanceId),
    #[error("a host port is taken on container instance {0}")]
    Port(InstanceId),
    #[error("container instance {0} has too few GPUs left")]
    Gpu(InstanceId),
    #[error("container instance {0} has a task of the group already")]
    Group(InstanceId),
    #[error("container instance {0} has no address left")]
    Address(InstanceId),
    #[error("the next revision of {0} is another")]
    Revision(Family),
    /// A task of the service was forgotten, or belongs to another.
    #[error("task {0} is not the service's")]
    Task(TaskId),
}
