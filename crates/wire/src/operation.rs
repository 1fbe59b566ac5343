//! What an operation is: its types, and its row in the tables.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::shape::Shape;

/// Implemented by the zero-sized markers in `ecs::ops`, `ecr::ops`, `logs::ops`, `events::ops` and
/// `sts::ops`.
/// The types serve both sides: a server decodes `Input` and encodes `Output`, a client the reverse.
pub trait Operation {
    type Input: Serialize + DeserializeOwned + Send + 'static;
    type Output: Serialize + DeserializeOwned + Send + 'static;
    const INFO: &'static OperationInfo;
}

#[derive(Debug)]
pub struct OperationInfo {
    pub service: &'static ServiceInfo,
    pub name: &'static str,
    /// `None`: nothing is read from the body.
    pub input: Option<&'static Shape>,
    /// `None`: a success has an empty body.
    pub output: Option<&'static Shape>,
    /// AWS Query: the element around the result.
    pub result_wrapper: Option<&'static str>,
    /// The errors that the model lists for this operation.
    pub errors: &'static [&'static ErrorInfo],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.1: the operation in `X-Amz-Target`.
    Json,
    /// AWS Query: the operation in the form field `Action`, answers in XML.
    Query,
}

#[derive(Debug)]
pub struct ServiceInfo {
    /// `ecs`, `ecr`, `logs`, `events`, `sts`.
    pub name: &'static str,
    pub protocol: Protocol,
    /// The service's name in a SigV4 credential scope.
    pub signing_name: &'static str,
    /// AWS JSON: what stands before the dot in `X-Amz-Target`; empty for Query.
    pub target_prefix: &'static str,
    pub api_version: &'static str,
    /// AWS Query: the namespace of the answers; empty for JSON.
    pub xml_namespace: &'static str,
    /// Sorted by name.
    pub operations: &'static [&'static OperationInfo],
    /// Every error shape of the service.
    pub errors: &'static [&'static ErrorInfo],
}

impl ServiceInfo {
    pub fn operation(&self, name: &str) -> Option<&'static OperationInfo> {
        let found = self.operations.binary_search_by_key(&name, |operation| operation.name);
        found.ok().map(|index| self.operations[index])
    }
}

/// An error shape of a service's model.
#[derive(Debug)]
pub struct ErrorInfo {
    pub shape: &'static str,
    /// As it stands on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The caller's fault rather than the server's.
    pub sender_fault: bool,
}
