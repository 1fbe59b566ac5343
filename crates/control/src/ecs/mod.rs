//! Amazon ECS: one file an operation.

pub(crate) mod errors;
