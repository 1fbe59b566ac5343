//! What the sender talks to: three operations of the CloudWatch Logs API.

use std::future::Future;
use std::pin::Pin;

use super::LogEvent;

pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// Why a call did not succeed, as far as it decides what the driver does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The group or the stream is not there.
    #[error("ResourceNotFoundException: {message}")]
    NotFound { message: String },
    /// It is there already.
    #[error("ResourceAlreadyExistsException: {message}")]
    Exists { message: String },
    /// The same call will never succeed.
    #[error("{code}: {message}")]
    Refused { code: String, message: String },
    /// Nobody answered, or asked for patience: again later.
    #[error("{message}")]
    Later { message: String },
}

/// CloudWatch Logs, or what stands for it in a test.
pub trait LogSink: Send + Sync + 'static {
    fn put<'a>(&'a self, group: &'a str, stream: &'a str, events: Vec<LogEvent>) -> SinkFuture<'a>;
    fn create_stream<'a>(&'a self, group: &'a str, stream: &'a str) -> SinkFuture<'a>;
    fn create_group<'a>(&'a self, group: &'a str) -> SinkFuture<'a>;
}
