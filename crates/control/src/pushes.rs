//! What the control plane hears of the registry: tags that have come to stand at other images.

use std::pin::Pin;
use std::sync::Arc;

use model::Scope;
use tokio::sync::watch;

/// A tag has come to stand at another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Pushes are numbered from 1 on, in their order; no number is given twice.
    pub number: u64,
    pub scope: Scope,
    pub repository: String,
    pub tag: String,
    pub digest: String,
    pub at_ms: u64,
    /// A container can be made of it.
    pub is_image: bool,
}

/// What ends when it is recorded, or can't be.
pub type Recorded<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The registry's outbox.
pub trait Pushes: Send + Sync {
    /// Those after a number, oldest first.
    fn after(&self, number: u64) -> Vec<Push>;

    /// The number of the newest.
    fn newest(&self) -> watch::Receiver<u64>;

    /// They have been acted on up to this number. Where it can't be recorded, they come again.
    fn forget(&self, through: u64) -> Recorded<'_>;
}

/// Shared by the server and its driver.
pub type SharedPushes = Arc<dyn Pushes>;
