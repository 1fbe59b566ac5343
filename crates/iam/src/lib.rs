//! Policies in AWS IAM's language: reading them, and deciding whether they allow a request.
//!
//! A policy of a key (identity-based) says what its owner may do; a policy of a resource, here an ECR
//! repository or registry, says who may do what with it. [`evaluate`] takes both and decides as IAM does
//! within one account: an explicit deny wins, the root user may do the rest, anybody else what some policy
//! allows.
//!
//! It must do no I/O, read no clock, and take nothing for allowed that it can't read: a policy with an element,
//! operator or value that isn't known is refused when it is set.
//!
//! Start at `evaluate.rs`; then `parse.rs` (what a text must be), `statement.rs` (whom and what a statement
//! means) and `condition/`.

mod condition;
mod evaluate;
mod managed;
mod parse;
mod pattern;
mod principal;
mod statement;
mod strict;

pub use evaluate::{Caller, Decision, Denial, Keys, Reason, Request, evaluate};
pub use managed::{TASK_EXECUTION, managed, managed_names};
pub use parse::{InvalidPolicy, Policy, PolicyKind};
pub use principal::{Grant, Granted, Kind, Principal};
