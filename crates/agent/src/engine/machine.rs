//! The two things a task's actor depends on: a machine that does, and someone who is told.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::actor::Event;
use super::plan::Work;
use crate::task::{Action, Found, Observation, StateChange};

pub type Done<'a, T = ()> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes a task's observations, from wherever they are made.
#[derive(Clone, Debug)]
pub struct Seen(pub(super) mpsc::UnboundedSender<Event>);

impl Seen {
    pub fn see(&self, observation: Observation) {
        // The actor lives as long as the agent; at its end nobody needs to know.
        let _ = self.0.send(Event::Seen(observation));
    }
}

/// Where tasks run.
pub trait Machine: Send + Sync + 'static {
    /// Carries one action out, idempotently, and lets its outcome be seen. Timers and reports are
    /// not among the actions it is given.
    fn perform(self: Arc<Self>, work: Arc<Work>, action: Action, seen: Seen) -> Done<'static>;

    /// After a restart: what is left of the task's containers. What runs is watched from here on.
    fn find(self: Arc<Self>, work: Arc<Work>, seen: Seen) -> Done<'static, Vec<Found>>;
}

/// How a report ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    Acknowledged,
    /// The control plane will never take it (InvalidParameterException).
    Refused,
}

/// Who is told.
pub trait Reports: Send + Sync + 'static {
    /// Tries until it is acknowledged or refused.
    fn submit(&self, change: StateChange) -> Done<'_, Submitted>;
}
