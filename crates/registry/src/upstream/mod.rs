//! Pulling through: what a cache rule makes of another registry's images.
//!
//! A pull of what isn't here yet is answered from upstream at once, while it is stored: `cache.rs` has what is under way
//! once for all who ask for it, `import.rs` stores an image with all that it needs, `flight.rs` is one blob on its way.
//! `rule.rs` says what a name means upstream (pure), `client.rs` speaks to the registry there, `credentials.rs` has what it
//! wants to be told.
//!
//! It must give nobody bytes whose digest is not the one that was asked for, and store no image but whole.

mod cache;
mod challenge;
mod client;
mod credentials;
mod flight;
mod import;
pub(crate) mod rule;

pub(crate) use cache::Cache;
pub(crate) use client::{RemoteManifest, UpstreamError};
pub(crate) use credentials::{CredentialsError, Secrets};
