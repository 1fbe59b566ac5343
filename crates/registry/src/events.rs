//! What the registry tells the rest of the process.

use crate::{
    digest::Digest,
    name::{RepositoryName, Tag},
};

/// A tag now stands at another image than before, or a new image came without a tag. Sent after the
/// commit; a subscriber that lags loses events, so it must read the state when it wakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePushed {
    pub account: String,
    pub region: String,
    pub repository: RepositoryName,
    pub tag: Option<Tag>,
    pub digest: Digest,
}
