//! Lifecycle policies at work: the timer that applies them, and their previews. What is to go is decided in
//! `lifecycle/`, and done in `state/command/lifecycle.rs`.

mod preview;
mod timetable;

pub use preview::{Preview, PreviewRunning, Previewed, Previews};
pub use timetable::{Timetable, expire_due, keep_expiring};
