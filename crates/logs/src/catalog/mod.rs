//! The metadata: which groups and streams there are, with their settings. `state` decides (pure),
//! `record` is how it is kept in the store, `writer` is the one thread that changes it.

mod record;
mod state;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use state::{Change, Group, GroupKey, NewGroup, Refusal};
pub(crate) use writer::Catalog;
