//! What the registry knows: entities, the index over them, the commands that change it, and the one
//! writer that makes changes durable. Start at `command/mod.rs`.

pub mod command;
pub mod entities;
pub mod guard;
pub mod index;
pub mod keys;
pub mod writer;

#[cfg(test)]
mod tests;
