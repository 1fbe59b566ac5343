//! Containers by the shim v2 protocol: the agent starts a shim as a process and speaks ttrpc to it.
//!
//! Nothing here knows which shim it is. `choice.rs` finds its program by containerd's naming rule,
//! `spawn.rs` calls `start` and `delete`, `shim.rs` makes the calls of the Task service, `adopt.rs`
//! finds out what is left of a container after the agent (or the shim) was away.
//! Source of the rules: containerd's "Runtime v2" document and the Task service's protobuf.

mod adopt;
mod choice;
mod error;
mod seal;
mod shim;
mod spawn;

pub use adopt::{Adopted, ExitRecord, keep_exit_record, read_exit_record};
pub use choice::RuntimeChoice;
pub use error::RuntimeError;
pub(crate) use shim::drain_found_log;
pub use shim::{Ended, Shim, Status};
pub use spawn::Runtime;
