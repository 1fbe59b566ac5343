//! Bringing images to registries of other servers. To other regions of this one it is records only, and the writer does
//! it (`state/command/replication.rs`).
//!
//! What is on its way stands in the image's record, committed with the push: a crash loses none, and the same image twice
//! is the same image. `driver.rs` goes on until it is there or can't be; `peer.rs` speaks to the other server, as any
//! client that pushes; `peers.rs` has its address and key.

mod driver;
mod peer;
mod peers;

pub(crate) use driver::keep_replicating;
pub(crate) use peer::HEADER;
pub(crate) use peers::Peers;
