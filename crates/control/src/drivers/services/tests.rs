//! The scheduler over a store in memory, with an agent that is played: it confirms and reports as
//! agents do, as fast or slow as a test wants.

mod agent;
mod stories;
mod updates;
