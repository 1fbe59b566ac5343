//! What CreateService and UpdateService have in common: the rules for what they are asked, and what is
//! recorded of it. Pure.

pub(crate) mod aim;
pub(crate) mod daemon;
pub(crate) mod external;
pub(crate) mod follow;
pub(crate) mod recorded;
pub(crate) mod rollout;
pub(crate) mod rules;
pub(crate) mod stages;
pub(crate) mod unsupported;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use aim::Aim;
pub(crate) use recorded::Recorded;
