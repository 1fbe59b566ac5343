//! Where the tasks of calls go. The calls share what they remember, so each costs what has changed since the last.

use std::sync::{Mutex, PoisonError};

use model::World;
use plan::{Memory, Placement, Rules, Want};

#[derive(Debug, Default)]
pub struct Placements(Mutex<Memory>);

impl Placements {
    pub(crate) fn place(&self, world: &World, wants: &[Want], rules: &Rules, seed: u128) -> Placement {
        let mut memory = self.0.lock().unwrap_or_else(|poisoned| {
            // Who panicked may have left it half done: begin anew.
            self.0.clear_poison();
            let mut memory = PoisonError::into_inner(poisoned);
            *memory = Memory::default();
            memory
        });
        memory.place(world, wants, rules, seed)
    }
}
