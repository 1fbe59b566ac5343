//! From a refusal of the model to the error that ECS answers, in its words where they are known.

use model::Refusal;
use wire::Error;
use wire::ecs::Failure;

use crate::writer::{SubmitError, with_causes};

/// What a Describe operation says of one that isn't there.
pub(crate) fn missing(arn: impl Into<String>) -> Failure {
    Failure { arn: Some(arn.into()), reason: Some("MISSING".to_owned()), detail: None }
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => refused(&refusal),
            SubmitError::Store(cause) => {
                // The reason matters to whoever runs the server (a full disk, say) and holds no secret.
                Error::server(format!("The state could not be written: {}.", with_causes(&*cause)))
            }
            SubmitError::Broken(cause) => Error::server(format!(
                "The state can't be written until its store is reopened: {}.",
                with_causes(&*cause)
            )),
            SubmitError::Closed => Error::server("The server is shutting down."),
        }
    }
}

/// The error for a refusal, for operations that have no words of their own for it.
pub(crate) fn refused(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::ClusterNotFound(_) => Error::cluster_not_found(),
        Refusal::ClusterContainsServices(_) => Error::new(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ),
        Refusal::ClusterContainsTasks(_) => Error::new(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ),
        Refusal::ClusterContainsContainerInstances(_) => Error::new(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ),
        Refusal::DefinitionNotFound(_) => Error::client("TaskDefinition not found."),
        Refusal::DefinitionInactive(_) => Error::client("TaskDefinition is inactive"),
        Refusal::DefinitionActive(_) => Error::invalid_parameter(
            "The specified task definition is still in ACTIVE status. Please deregister it first.",
        ),
        Refusal::InstanceNotFound(_) => {
            Error::invalid_parameter("The referenced container instance was not found.")
        }
        Refusal::InstanceInactive(_) => {
            Error::invalid_parameter("The referenced container instance was inactive.")
        }
        Refusal::InstanceElsewhere(_) => Error::client("Container instance type changes are not supported."),
        Refusal::InstanceContainsTasks(..) => {
            Error::invalid_parameter("Found running tasks on the instance.")
        }
        Refusal::InvalidTransition(_, from, to) => {
            Error::invalid_parameter(format!("The container instance is {from} and cannot become {to}."))
        }
        Refusal::TaskNotFound(_) => Error::invalid_parameter("The referenced task was not found."),
        Refusal::ServiceNotFound(_) => Error::new("ServiceNotFoundException", "Service not found."),
        Refusal::ServiceNotActive(_) => Error::new("ServiceNotActiveException", "Service was not ACTIVE."),
        Refusal::ServiceExists(_) => Error::invalid_parameter("Creation of service was not idempotent."),
        Refusal::ServiceDraining(_) => {
            Error::invalid_parameter("Unable to Start a service that is still Draining.")
        }
        Refusal::ServiceScaledAboveZero(_) => {
            Error::invalid_parameter("The service cannot be stopped while it is scaled above 0.")
        }
        Refusal::DeploymentNotFound(_) => {
            Error::new("ServiceDeploymentNotFoundException", "Service deployment not found.")
        }
        Refusal::DeploymentOver(_, status) => Error::new(
            "ConflictException",
            format!("The service deployment can't be stopped because it is {status}."),
        ),
        Refusal::TaskSetNotFound(_) => Error::new("TaskSetNotFoundException", "Task set not found."),
        Refusal::TaskSetScaledAboveZero(_) => Error::invalid_parameter(
            "The task set cannot be deleted while it is scaled above 0. Scale it to 0, or use force.",
        ),
        Refusal::NoTaskSets(_) => Error::invalid_parameter(
            "Task sets are for services with the deployment controller EXTERNAL only.",
        ),
        Refusal::NotPaused(hook) => Error::invalid_parameter(format!(
            "The lifecycle hook {hook} does not await an action in this service deployment."
        )),
        Refusal::TooManyTags(count) => Error::invalid_parameter(format!(
            "A resource may have {} tags, and this would make {count}.",
            model::TAGS_ALLOWED
        )),
        Refusal::TooManyAttributes(..) => Error::new(
            "AttributeLimitExceededException",
            format!(
                "You can apply up to {} custom attributes for each resource.",
                model::CUSTOM_ATTRIBUTES_ALLOWED
            ),
        ),
        Refusal::ResourceNotFound => Error::invalid_parameter("The specified resource was not found."),
        Refusal::TokenReused => {
            Error::new("ConflictException", "The clientToken is already in use with different parameters.")
        }
        // Of no operation of ECS.
        Refusal::JoinTokenUnknown | Refusal::JoinTokenExpired(_) | Refusal::JoinTokenUsed => {
            Error::new("AccessDeniedException", format!("{refusal}."))
        }
        // The next three are taken up by the operations themselves; what remains is a surprise of ours.
        Refusal::AlreadyDone(_) | Refusal::IdInUse(_) | Refusal::StaleSnapshot(_) => {
            Error::server(format!("The request could not be carried out: {refusal}."))
        }
    }
}
