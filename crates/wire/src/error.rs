//! An error as an AWS service answers it: a code, a message, a status.

use serde_json::{Map, Value};

use crate::operation::{ErrorInfo, ServiceInfo};

/// What a handler answers instead of its output.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// The error's name in the model, such as `ClusterNotFoundException`.
    pub code: String,
    /// For the caller's eyes.
    pub message: String,
    /// Further members of the error's shape, such as `resourceIds` of a `ConflictException`.
    pub details: Map<String, Value>,
}

impl Error {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), details: Map::new() }
    }

    /// Adds a member of the error's shape beside `message`.
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// A parameter that the service refuses.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// ECS: the caller's action doesn't fit the resource.
    pub fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// Our own fault (ECS, ECR). The message is shown to the caller: no internals.
    pub fn server(message: impl Into<String>) -> Self {
        Self::new("ServerException", message)
    }

    /// ECS's words for a cluster that isn't there.
    pub fn cluster_not_found() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.")
    }

    /// A body that can't be read as the operation's input.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// Something failed that the caller can't mend; the code is the one which the service's model
    /// has for it. The message is shown to the caller: no internals.
    pub fn internal(service: &ServiceInfo, message: impl Into<String>) -> Self {
        let code = match service.name {
            "ecs" | "ecr" => "ServerException",
            "logs" => "ServiceUnavailableException",
            "events" => "InternalException",
            _ => "InternalFailure",
        };
        Self::new(code, message)
    }

    /// The HTTP status: from the model's error shape where there is one.
    pub fn status(&self) -> u16 {
        self.info().map_or_else(|| front_end_status(&self.code), |info| info.status)
    }

    /// Whether the caller is at fault (`Sender` in Query's errors) rather than the server.
    pub fn is_sender_fault(&self) -> bool {
        self.info().map_or_else(|| self.status() < 500, |info| info.sender_fault)
    }

    fn info(&self) -> Option<&'static ErrorInfo> {
        let named = |info: &&&'static ErrorInfo| info.code == self.code || info.shape == self.code;
        crate::SERVICES.iter().find_map(|service| service.errors.iter().find(named)).copied()
    }
}

/// Errors that AWS's front ends answer before a service sees the request; no model has them.
fn front_end_status(code: &str) -> u16 {
    match code {
        "AccessDenied"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "SignatureDoesNotMatch"
        | "RequestExpired" => 403,
        "RequestTimeoutException" => 408,
        "RequestEntityTooLargeException" => 413,
        "InternalFailure" => 500,
        "ServiceUnavailable" => 503,
        _ => 400,
    }
}
