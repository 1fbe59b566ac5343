//! The wire: what AWS's clients and ECS's agents send and expect, byte for byte.
//!
//! DTOs and operation tables generated from botocore's service models (`ecs`, `ecr`, `logs`,
//! `events`, `sts`), the AWS JSON 1.1 and Query codecs, the checks that follow from the models, SigV4, ARNs,
//! the agent protocol's frames, and the errors in AWS's own form.
//!
//! It must never do I/O, read a clock or know any other crate of ours: bytes and times come in,
//! bytes and decisions go out. The generated DTOs are no domain model; `control` translates them.
//!
//! Start at `operation` (what an operation is), then `dispatch` (how one is called), `codec` (how
//! its input is decoded and checked) and `protocol` (how its result becomes an HTTP response).
//! The agents' websockets are `acs` and `tcs`.

pub mod acs;
pub mod arn;
pub mod client;
pub mod codec;
mod context;
pub mod dispatch;
pub mod ecr_host;
pub mod endpoint;
mod error;
pub mod eventstream;
mod form;
pub mod join;
pub mod operation;
pub mod page;
pub mod protocol;
pub mod shape;
pub mod sigv4;
pub mod tcs;
pub mod types;

pub mod ecr;
pub mod ecs;
pub mod events;
pub mod logs;
pub mod sts;

pub use context::{Context, Credentials, Scheme};
pub use error::Error;
pub use operation::{Operation, OperationInfo, Protocol, ServiceInfo};
pub use types::{Blob, Document, Timestamp};

/// Every service on the wire, in the order of the coverage table.
pub static SERVICES: [&ServiceInfo; 5] =
    [&ecs::SERVICE, &ecr::SERVICE, &logs::SERVICE, &events::SERVICE, &sts::SERVICE];
