//! Deciding: what a command would make happen.
//!
//! `apply` is total and pure. One file decides for one kind of command; each works on a [`Draft`],
//! where a later decision of the same command sees the events of the earlier ones.

use crate::{command::Command, event::Event, refusal::Refusal, world::World};

/// The events that `command` brings about at `now_ms` (milliseconds since the epoch); none when it
/// changes nothing. A refused command changes nothing.
pub fn apply(world: &World, command: &Command, now_ms: u64) -> Result<Vec<Event>, Refusal> {
    decide(world, command, now_ms).map(|draft| draft.events)
}

/// As [`apply`], and takes the events into `world`.
pub fn transact(world: &mut World, command: &Command, now_ms: u64) -> Result<Vec<Event>, Refusal> {
    let draft = decide(world, command, now_ms)?;
    *world = draft.world;
    Ok(draft.events)
}

fn decide(world: &World, command: &Command, now_ms: u64) -> Result<Draft, Refusal> {
    let draft = Draft { world: world.clone(), events: Vec::new(), now_ms };
    let _ = command;
    Ok(draft)
}

pub(crate) struct Draft {
    pub world: World,
    events: Vec<Event>,
    pub now_ms: u64,
}

impl Draft {
    pub fn emit(&mut self, event: Event) {
        self.world.evolve(&event);
        self.events.push(event);
    }
}
