//! Bytes: content-addressed blobs at rest, and the uploads that become blobs.
//!
//! Only the writer moves a file into `blobs/` or out of it, so a blob that the state names is there.

mod session;
pub mod storage;
pub mod upload;
