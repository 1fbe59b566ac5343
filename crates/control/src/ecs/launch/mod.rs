//! What RunTask, StartTask and services ask before a task can be placed: the launch type or capacity
//! provider, the network, the overrides, the placement.

pub(crate) mod capacity;
pub(crate) mod network;
pub(crate) mod overrides;
pub(crate) mod placement;
mod run;
pub(crate) mod submit;
pub(crate) mod task;
