//! Rules of the packet filter, spoken to nf_tables in its own messages.
//!
//! [`message`] builds messages, [`expression`] the parts of rules, [`ruleset`] is what we want
//! (pure), [`foreign`] the holes in other people's chains, and [`Nft`] sends.

mod expression;
mod foreign;
mod message;
mod ruleset;
mod socket;

pub(super) use foreign::{close_foreign, open_foreign};
pub use ruleset::Published;
pub(super) use ruleset::{own_table, published, remove_table};
pub(super) use socket::Nft;

#[cfg(test)]
mod tests;
