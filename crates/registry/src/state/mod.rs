//! What the registry knows: entities, the index over them, the commands that change it, and the one
//! writer that makes changes durable. Start at `command.rs`.

pub mod command;
pub mod delete_images;
pub mod entities;
pub mod index;
pub mod keys;
pub mod writer;

#[cfg(test)]
mod tests;
