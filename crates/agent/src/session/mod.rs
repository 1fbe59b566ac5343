//! The agent's conversation with the control plane, in ECS's own agent protocol.
//!
//! `trust.rs` says with whom; `api.rs` signs and sends calls; `register.rs` says who we are; `acs.rs` is told what to run,
//! and `manifest.rs` decides what its messages mean; `tcs.rs` tells how things go; `reports.rs`
//! delivers state changes until they are acknowledged. Losing the control plane stops no task.

mod acs;
mod api;
mod backoff;
mod manifest;
mod register;
mod reports;
mod socket;
mod tcs;
mod trust;

pub use acs::AcsSession;
pub(crate) use api::chain;
pub use api::{Api, ApiError};
pub(crate) use backoff::Backoff;
pub use register::{Capacity, Identity, Registration, register};
pub use reports::ApiReports;
pub use tcs::{TcsSession, Telemetry};
pub(crate) use trust::distrust;
pub use trust::{TrustError, trust};

/// What the agent calls itself in the websockets' queries.
pub const AGENT_VERSION: &str = env!("CARGO_PKG_VERSION");
