//! Commands that share a commit.

use super::{Draft, decide};
use crate::{command::Command, event::Event, refusal::Refusal, world::World};
use std::{mem, ops::Range};

/// Commands decided one after the other, each on the world that the ones before it left.
///
/// They work on one world in place: with a copy for each command, every command would copy the
/// nodes of the persistent maps that it changes. A copy is kept for the rare command that is refused
/// after it has emitted events.
#[derive(Debug)]
pub struct Transaction {
    world: World,
    events: Vec<Event>,
    /// The world as it was before `events[kept..]`.
    copy: World,
    kept: usize,
}

impl Transaction {
    pub fn on(world: &World) -> Self {
        Self { world: world.clone(), events: Vec::new(), copy: world.clone(), kept: 0 }
    }

    /// Decides one more command. Returns which of the events are its own; a refused command
    /// has none and changes nothing.
    pub fn decide(&mut self, command: &Command, now_ms: u64) -> Result<Range<usize>, Refusal> {
        let from = self.events.len();
        let mut draft =
            Draft { world: mem::take(&mut self.world), events: mem::take(&mut self.events), now_ms };
        let decided = decide(&mut draft, command);
        (self.world, self.events) = (draft.world, draft.events);
        if decided.is_err() && self.events.len() > from {
            self.take_back_to(from);
        }
        decided.map(|()| from..self.events.len())
    }

    /// The events since the copy are taken in anew, and the copy moves behind them: so no event is
    /// taken in more than twice, however many commands are refused.
    fn take_back_to(&mut self, from: usize) {
        self.events.truncate(from);
        for event in &self.events[self.kept..] {
            self.copy.evolve(event);
        }
        self.kept = from;
        self.world = self.copy.clone();
    }

    /// The world with the events decided so far.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The events decided so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The world with all of the events, and the events.
    pub fn into_parts(self) -> (World, Vec<Event>) {
        (self.world, self.events)
    }
}
