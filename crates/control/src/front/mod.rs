//! HTTP in front: connections and TLS, limits, authentication, authorization, and the way to an operation.

pub(crate) mod api;
pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod body;
pub(crate) mod connections;
pub(crate) mod head;
pub(crate) mod lingering;
pub(crate) mod opening;
pub(crate) mod own;
pub(crate) mod pages;
pub(crate) mod patient;
mod plain;
pub(crate) mod resources;
