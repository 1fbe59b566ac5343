//! The control plane's shell: HTTP in front, the writer within, the agents' sessions and the drivers
//! beside.
//!
//! It decides nothing of its own: what should be is decided by `plan`, what may be by `model`. Each
//! API operation is one file (`ecs/<operation>.rs`): validate, translate, ask the planner, submit the
//! command, translate back. No operation talks to an agent; a session wakes from commits.
//!
//! Start at [`server`], then [`writer`] (how anything changes), then one operation, say
//! `ecs/stop_task.rs`, and `sessions/` for the way to the agents.

pub mod access;
pub mod announce;
mod app;
pub mod arn;
pub mod bound;
pub mod clock;
mod drivers;
mod ecs;
pub mod foresight;
mod front;
pub mod images;
pub mod keyring;
mod metrics;
pub mod placements;
pub mod pushes;
pub mod server;
mod sessions;
mod sts;
pub mod task_keys;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod usage;
pub mod writer;

pub use app::{App, Config};
pub use front::own::{PLAN_PATH, USAGE_PATH};
pub use metrics::Metrics;
pub use sessions::Hub;
