//! The small key-value contract that all durable state goes through: a whole-keyspace snapshot, a
//! conditional all-or-nothing commit, and a wake-up after each commit. It is the part of etcd v3
//! that Longshore needs, so that an etcd implementation can stand beside the embedded ones.
//!
//! What it must never do: interpret a value, answer a commit before it is durable, retry on its
//! own, or hand a payload to a watcher (a watcher that misses a wake-up must lose nothing).
//!
//! Start at [`Store`] in `contract.rs`; then `sqlite/mod.rs` (one machine), `memory.rs` (tests and
//! simulation), `faulty.rs` and `recording.rs` (wrappers for simulation); `outbox.rs` has messages
//! that are committed with what they tell of. `tests/contract.rs` runs
//! the same suite against each implementation.

mod contract;
mod error;
mod faulty;
mod memory;
mod outbox;
mod recording;
mod sqlite;
mod watch;

pub use contract::{Batch, Entry, Op, Revision, Snapshot, Store};
pub use error::{Cause, CommitError, StoreError};
pub use faulty::{Fault, Faulty};
pub use memory::MemoryStore;
pub use outbox::{Outbox, Staged};
pub use recording::{Commit, Recording};
pub use sqlite::SqliteStore;
pub use watch::{Closed, Watch};
