//! Lifecycle policies: which images of a repository expire or are archived (Amazon ECR user guide, "Lifecycle
//! policies"). Pure.
//!
//! A policy's text is read and checked by [`Policy::parse`]; [`affected`] says what it means for a repository at a
//! moment; [`in_use`] says which images are spared because something runs them. Doing it is the command
//! `state/command/lifecycle.rs`, which decides all this anew inside the writer; `expiry.rs` is its timer.

mod evaluate;
pub mod in_use;
mod parse;
mod policy;

#[cfg(test)]
mod tests;

pub use evaluate::{Affected, affected};
pub use policy::{Action, Policy};
