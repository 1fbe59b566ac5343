//! Reading events in the order of their time: `position` (where one is), `merge` (going on from
//! there), `page` (how much one answer holds).

pub(crate) mod merge;
pub(crate) mod page;
pub(crate) mod position;

#[cfg(test)]
mod tests;
