//! The agent: runs the tasks that a control plane asks for on this machine and tells it, truly and
//! in order, what became of them.
//!
//! It is a client of the control plane over ECS's own agent protocol and of nothing else: the same
//! code runs in the `longshore` process and on another machine. It never decides what should run,
//! never links the shim (it starts it as a process) and never keeps a task's life in its own hands:
//! killed at any moment, it finds every running task again when it starts.
//!
//! Start reading at [`task`], the pure step function in which every decision about a task is
//! taken; [`engine`] carries its actions out over [`images`], [`network`], [`volumes`],
//! [`cdi`], [`bundle`], [`runtime`] and [`logs`]; [`session`] speaks with the control plane, to which [`joining`]
//! lets the machine in; [`state`] is what survives a crash.

mod agent;
pub mod bundle;
pub mod cdi;
mod cleanup;
pub mod engine;
pub mod images;
pub mod joining;
pub mod logs;
pub mod network;
mod remove;
pub mod runtime;
pub mod session;
mod spread;
pub mod state;
pub mod task;
pub mod volumes;
mod whole;

pub use agent::{Agent, AgentConfig, AgentError, AgentHandle, SERVERLESS_CLUSTER};
pub use cleanup::{Report, cleanup};
pub use remove::remove_tree;
pub use session::Capacity;
