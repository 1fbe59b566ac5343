//! What RunTask and services ask before a task can be placed: the launch type or capacity provider,
//! the network, the overrides. Pure.

pub(crate) mod capacity;
pub(crate) mod network;
pub(crate) mod overrides;
