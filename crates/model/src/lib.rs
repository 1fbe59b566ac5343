//! What Longshore knows, and how it may change.
//!
//! `model` holds the entities of ECS (clusters, task definitions, container instances, tasks,
//! services), the [`World`] that contains them with the indexes that readers need, and the one way
//! to change it: a [`Command`] is decided by [`apply`] into [`Event`]s (or a typed [`Refusal`]), and
//! [`World::evolve`] takes the events in. [`persist`] says which key-value pairs the events changed.
//!
//! It must never do I/O, read a clock, draw a random number, make an id of its own, or know a wire
//! shape: time is `now_ms` (milliseconds since the epoch), ids come in the command, and what is only
//! given back to the user is an opaque [`Document`].
//!
//! Start reading at [`command`], then `apply/mod.rs`, then `entity/task.rs` for the life cycle.

pub mod apply;
pub mod command;
pub mod entity;
pub mod event;
pub mod ids;
pub mod key;
pub mod persist;
pub mod refusal;
mod spelling;
pub mod world;

pub use apply::{Transaction, apply, transact};
pub use command::Command;
pub use entity::*;
pub use event::Event;
pub use ids::*;
pub use key::{ClusterKey, DefinitionKey, Scope, ServiceKey};
pub use persist::{Corrupt, changes};
pub use refusal::Refusal;
pub use world::World;
