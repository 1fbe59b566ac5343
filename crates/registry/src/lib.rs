//! The image registry: the OCI distribution API 1.1 under `/v2/`, and Amazon ECR's operations over the
//! same repositories.
//!
//! It must never hold a layer in memory, answer a push before its bytes and its records are durable, show
//! a repository a blob that was not pushed or mounted there, or change state anywhere but in its writer.
//!
//! Bytes lie in `blobs/<algorithm>/<hex>`, in the registry's directory or in a bucket; everything else is records in the
//! store, with an index over them in memory. A push stages a file, and the writer moves it into place (to a bucket it is
//! brought before) and commits the record.
//!
//! Start at [`Registry`]; then `oci/mod.rs` (the HTTP side), `ecr/mod.rs` (the API side),
//! `state/command/mod.rs` (what can change, and when it is refused) and `state/writer.rs` (how it is made durable).

mod announce;
mod auth;
mod blobs;
mod clock;
mod config;
mod digest;
mod ecr;
mod expiry;
#[doc(hidden)]
pub mod fuzzing;
mod lifecycle;
mod manifest;
mod name;
mod oci;
mod push;
mod range;
mod registry;
mod replication;
mod scan;
mod shared;
mod state;
mod upstream;
pub mod verify;

pub use announce::{Audience, Nobody};
pub use auth::principals::{OnlyRoot, Principals};
pub use blobs::location::{BucketConfig, BucketUrl, InvalidBucketUrl};
pub use clock::Clock;
pub use config::RegistryConfig;
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use lifecycle::in_use::{ImagesInUse, Nothing, SharedUse, UsedImage};
pub use name::{InvalidName, RepositoryName, Tag};
pub use push::Push;
pub use registry::{Registry, RegistryError};
pub use state::guard::Guard;

pub(crate) use shared::Shared;
