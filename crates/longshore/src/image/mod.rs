//! Making an OCI image from a static program, and pushing it as any client would.
//!
//! `build` is pure: the same program and settings give the same digests on every machine, so that
//! pushing twice changes nothing. `push` speaks the OCI distribution protocol and knows nothing of
//! whose registry it is.

mod build;
mod push;

pub use build::{Image, Recipe};
pub use push::{Credentials, push};
