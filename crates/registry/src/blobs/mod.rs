//! Bytes: content-addressed blobs at rest, and the uploads that become blobs.
//!
//! Only the writer moves a file into `blobs/` or out of it, so a blob that the state names is there. In a bucket the
//! claims see to the same (`claims.rs`).

pub(crate) mod bucket;
mod claims;
mod files;
pub mod location;
mod session;
pub mod storage;
pub mod upload;
