//! The `awslogs` driver: what a container writes becomes log events, none lost and none reordered.
//!
//! A reader takes the container's two FIFOs into a spool on disk; a sender takes the spool to
//! `PutLogEvents` and notes how far it got. So the agent may be killed at any moment (what was read
//! is in the spool, what was not is still in the FIFO, which the shim holds open), the control plane
//! may be away for long, and a full spool makes the container wait instead of losing lines.
//!
//! `options.rs` reads the configuration, `lines.rs` and `batch.rs` are the pure rules, `spool.rs`
//! the file, `reader.rs` and `sender.rs` the two loops, `sink.rs` what the sender talks to.

mod batch;
mod driver;
mod lines;
mod options;
mod reader;
mod sender;
mod sink;
mod spool;

pub use batch::LogEvent;
pub use driver::{ContainerLogs, LogError};
pub use options::{AwsLogs, Mode};
pub use sink::{LogSink, SinkError, SinkFuture};

#[cfg(test)]
mod tests;
