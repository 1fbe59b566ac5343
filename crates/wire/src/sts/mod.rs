//! AWS STS: who the caller is.
//! Everything here is generated: the types, the operation markers in `ops`, the shape tables.

mod generated;

pub use generated::ops::SERVICE;
pub use generated::types::*;
pub use generated::{ops, shapes};
