//! What should happen next, and why.
//!
//! [`schedule`] finds places for tasks; [`reconcile`] says what a service lacks, or has too much of;
//! [`preview`] tells what would come of a change; [`runs`] ends and repeats tasks that run to their
//! end; [`lost`] says which machines are given up; [`outbox`] what an agent is told; [`hooks`] says which hooks are to be asked; [`reap`]
//! lists what may be forgotten; [`query`] reads the cluster query
//! language. Each takes a snapshot of the world, the time and a seed, and returns a plan that leaves its executor nothing
//! to choose. Ids of what is to be made come from the
//! seed, so the same arguments always give the same plan.
//!
//! It must never do I/O, read a clock, draw from a thread's randomness, wait, or change the world: a
//! plan becomes true only through `model::apply`, which looks at it again.
//!
//! Start reading at `schedule/mod.rs` and `reconcile/mod.rs`; each folder has a README.

pub mod hooks;
pub mod ids;
pub mod lost;
pub mod outbox;
pub mod preview;
pub mod query;
pub mod reap;
pub mod reconcile;
pub mod runs;
pub mod schedule;

pub use hooks::hooks;
pub use ids::Ids;
pub use lost::lost;
pub use outbox::Outbox;
pub use reap::reap;
pub use runs::runs;
pub use schedule::{Memory, Placement, Rules, Shares, Want, place};
