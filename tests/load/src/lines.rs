//! The connections on which the fleet's agents report: shared, for ten of each agent's own would be a hundred thousand.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wire::operation::Operation;

use crate::channel::Channel;
use crate::site::Caller;

/// Reports under way at once, of all agents: each is a connection.
const MOST: usize = 2_048;
/// The server closes what is idle for longer.
const FRESH: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Lines {
    caller: Caller,
    room: Semaphore,
    idle: Mutex<Vec<(Instant, Channel)>>,
}

impl Lines {
    pub fn new(caller: Caller) -> Self {
        Self { caller, room: Semaphore::new(MOST), idle: Mutex::default() }
    }

    pub async fn call<O: Operation>(&self, input: &O::Input) -> anyhow::Result<()> {
        let _room = self.room.acquire().await?;
        let mut channel = match self.fresh() {
            Some(channel) => channel,
            None => Channel::open(self.caller.clone()).await?,
        };
        channel.body::<O>(input).await?;
        self.lock().push((Instant::now(), channel));
        Ok(())
    }

    /// The one that was used last: those that nobody needs any more grow old.
    fn fresh(&self) -> Option<Channel> {
        let (used, channel) = self.lock().pop()?;
        (used.elapsed() < FRESH).then_some(channel)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Channel)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
