//! Live Tail: what was ingested in the last second, second by second.
//!
//! A session holds a place in each stream (`cursors`) and looks what became durable behind it; nothing
//! is queued for it, so a client that reads slowly costs nothing and gets a sample when it comes back
//! (`sample`). `session` makes messages of that.

mod cursors;
mod sample;
mod session;

#[cfg(test)]
mod tests;

pub(crate) use session::Session;

use crate::catalog::GroupKey;
use crate::filter::Pattern;

/// What a session shows.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) groups: Vec<GroupKey>,
    pub(crate) streams: Streams,
    pub(crate) pattern: Pattern,
}

#[derive(Debug)]
pub(crate) enum Streams {
    All,
    Named(Vec<String>),
    /// With one of these prefixes.
    Under(Vec<String>),
}

impl Streams {
    fn include(&self, name: &str) -> bool {
        match self {
            Streams::All => true,
            Streams::Named(names) => names.iter().any(|wanted| wanted == name),
            Streams::Under(prefixes) => prefixes.iter().any(|prefix| name.starts_with(prefix)),
        }
    }
}
