//! Between the model's entities and the wire's. Pure.

pub(crate) mod cluster;
pub(crate) mod definition;
pub(crate) mod instance;
pub(crate) mod service;
pub(crate) mod service_deployment;
pub(crate) mod service_revision;
pub(crate) mod tags;
pub(crate) mod task;
pub(crate) mod task_set;
