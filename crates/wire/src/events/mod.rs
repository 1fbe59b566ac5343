//! Amazon EventBridge: rules, their targets, and events.
//! Everything here is generated: the types, the operation markers in `ops`, the shape tables.

mod generated;

pub use generated::enums::*;
pub use generated::ops::SERVICE;
pub use generated::types::*;
pub use generated::{ops, shapes};
