//! Rules of the packet filter, spoken to nf_tables in its own messages.
//!
//! [`message`] builds messages, [`expression`] the parts of rules, [`ruleset`] and [`guard`] are
//! what we want (pure), [`foreign`] the holes in other people's chains, and [`Nft`] sends.

mod expression;
mod foreign;
mod guard;
mod message;
mod ruleset;
mod socket;

pub(super) use foreign::{close_foreign, open_foreign};
pub(super) use guard::{guard_table, guarded, remove_guard_table};
pub use ruleset::Published;
pub(super) use ruleset::{own_table, published, remove_table};
pub(super) use socket::Nft;

#[cfg(test)]
mod tests;
