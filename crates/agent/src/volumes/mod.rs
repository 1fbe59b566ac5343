//! Data volumes: what of this machine a container sees at its mount points, and for how long it is
//! kept.
//!
//! `plan.rs` is pure: a payload's `volumes`, `mountPoints` and `volumesFrom`, together with an image's
//! VOLUMEs, become an ordered list of [`Mounting`]s, or a [`VolumeError`] that names what can't be had.
//! [`Volumes`] is the directory behind it: `tasks/<id>/` is removed with its task, `shared/<name>/`
//! stays until somebody purges it. `fill.rs` copies an image's content into a volume that is new;
//! `tree.rs` walks directories that a container may be changing meanwhile; `used.rs` measures them.
//!
//! Must never: follow a link that a container made. A volume's content is hostile: whatever is done in
//! one goes by descriptors, one component at a time, and never through its path.

mod fill;
mod path;
mod plan;
mod store;
mod tree;
mod used;

pub use path::{PathError, destination, is_below_devices};
pub use plan::{Mounting, Place, Volume, VolumeError, declared, mountings};
pub use store::{Mounted, StoreError, Volumes};
pub use used::{Measure, measure};

#[cfg(test)]
mod tests;
