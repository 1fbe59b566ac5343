//! HTTP in front: connections, limits, authentication, authorization, and the way to an operation.

pub(crate) mod api;
pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod body;
pub(crate) mod connections;
pub(crate) mod head;
pub(crate) mod lingering;
pub(crate) mod own;
pub(crate) mod pages;
pub(crate) mod patient;
pub(crate) mod resources;
